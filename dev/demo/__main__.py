"""`python -m dev.demo`: stage and play; `stage`, `play`, `load`, `status` and `down` do one part alone."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.rollouts import render
from dev.cluster.errors import ClusterError
from dev.cluster.paths import DEFAULT_NAME
from dev.demo import performance
from dev.demo.experiment import performance as experiment
from dev.demo.kube import ENDPOINT, NAMESPACE, SYSTEM, Kube
from dev.demo.show import Show
from dev.demo.staging import raise_stage, strike_stage
from dev.load.__main__ import main as load

DEFAULT_RATE, EXPERIMENT_RATE = 300.0, 200.0
"""With an experiment each request is followed by a report."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything happened as promised, 1 when not, 130 when interrupted."""
    options = _options(arguments)
    show = Show()
    try:
        return _VERBS[options.verb](options, show)
    except (ClusterError, Problem) as problem:
        show.failed(str(problem))
        if isinstance(problem, Problem) and problem.hint:
            show.prose(problem.hint)
        return 1
    except KeyboardInterrupt:
        show.say("interrupted; the cluster goes on. Remove it with: make demo-down")
        return 130


def _run(options: argparse.Namespace, show: Show) -> int:
    began = time.monotonic()
    _stage(options, show)
    staged = time.monotonic()
    code = _play(options, show)
    ended = time.monotonic()
    show.say("")
    show.prose(f"{ended - began:.0f} s in all, {staged - began:.0f} s of them for the stage.")
    return code


def _stage(options: argparse.Namespace, show: Show) -> int:
    raise_stage(Kube(options.name), show)
    return 0


def _play(options: argparse.Namespace, show: Show) -> int:
    perform = experiment.perform if options.experiment else performance.perform
    return 0 if perform(Kube(options.name), show, rate=options.rate, report=options.report) else 1


def _load(options: argparse.Namespace, show: Show) -> int:
    with Kube(options.name).forwarding(ENDPOINT, 80, NAMESPACE) as port:
        outcomes = ["--outcomes"] if options.experiment else []
        numbers = ["--rate", f"{options.rate:g}", "--seconds", f"{options.seconds:g}"]
        return load([f"http://127.0.0.1:{port}", *numbers, *outcomes])


def _status(options: argparse.Namespace, show: Show) -> int:
    kube = Kube(options.name)
    show.lines(kube.kubectl("get", "pods", "--namespace", SYSTEM).splitlines())
    show.lines(kube.kubectl("get", "modelendpoints,pods", "--namespace", NAMESPACE).splitlines())
    show.lines(render.page(kube.rollout(), show.paint, datetime.now(UTC), wide=show.wide))
    return 0


def _down(options: argparse.Namespace, show: Show) -> int:
    strike_stage(Kube(options.name), show)
    return 0


_VERBS = {"run": _run, "stage": _stage, "play": _play, "load": _load, "status": _status, "down": _down}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=__doc__, allow_abbrev=False)
    parser.add_argument("verb", nargs="?", choices=list(_VERBS), default="run", help="default: run, which is all of it")
    parser.add_argument(
        "--name", default=os.environ.get("CROSSFADE_CLUSTER_NAME", DEFAULT_NAME), help="cluster (default %(default)s)"
    )
    parser.add_argument("--experiment", action="store_true", help="the performance of an experiment, and its load")
    parser.add_argument("--rate", type=float, help="requests per second (default 300, with an experiment 200)")
    parser.add_argument("--seconds", type=float, default=300.0, help="only for load: how long (default 300)")
    parser.add_argument("--report", type=Path, help="write the load's summary and the promises to this file, as JSON")
    options = parser.parse_args(arguments)
    if options.rate is None:
        options.rate = EXPERIMENT_RATE if options.experiment else DEFAULT_RATE
    if not 1 <= options.rate <= 5000:
        parser.error(f"--rate must be from 1 to 5000 requests per second, not {options.rate:g}")
    return options


if __name__ == "__main__":
    sys.exit(main())
