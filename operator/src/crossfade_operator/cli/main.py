"""The command `kubectl crossfade`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TextIO

from crossfade_operator.cli import looking
from crossfade_operator.cli.client import Cluster, KubernetesCluster
from crossfade_operator.cli.decisions import checking
from crossfade_operator.cli.decisions import commands as decisions
from crossfade_operator.cli.experiments import commands as experiments
from crossfade_operator.cli.experiments import holdout_command as holdout
from crossfade_operator.cli.experiments import plan_command as plan
from crossfade_operator.cli.flags import Verbs, cluster_flags
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.reviews import commands as reviews
from crossfade_operator.cli.rollouts import commands as rollouts
from crossfade_operator.cli.session import Session, columns_of
from crossfade_operator.cli.text import sentence

EXIT_PROBLEM, EXIT_INTERRUPTED = 1, 130

Connect = Callable[[argparse.Namespace], Cluster]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: ends the process with an exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(
    arguments: Sequence[str],
    connect: Connect | None = None,
    out: TextIO | None = None,
    now: Callable[[], datetime] | None = None,
) -> int:
    """Carry out one command; 0 when it was, 1 with a sentence on stderr when not, and what the verb says of its own."""
    options = _parser().parse_args(arguments)
    session = Session(lambda: (connect or _connect)(options), out or sys.stdout, now)
    try:
        return int(options.command(session, options))
    except Problem as problem:
        print(sentence(str(problem), columns_of(sys.stderr), "error: ", 7), file=sys.stderr)
        if problem.hint:
            print(f"       {problem.hint}", file=sys.stderr)
        return int(getattr(options, "exit_problem", EXIT_PROBLEM))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_PROBLEM


def _connect(options: argparse.Namespace) -> Cluster:
    return KubernetesCluster(options.kubeconfig, options.context, options.namespace, options.acting_as)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl crossfade",
        description="Look at rollouts, experiments and decisions, and steer them.",
        epilog="Every verb is also plain kubectl: see docs/kubectl-plugin.md.",
        parents=[cluster_flags()],
        allow_abbrev=False,
    )
    verbs = Verbs(parser)
    for family in (looking, rollouts, plan, holdout, experiments, reviews, decisions, checking):
        family.add(verbs)
    return parser


if __name__ == "__main__":
    main()
