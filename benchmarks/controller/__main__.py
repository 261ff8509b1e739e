"""What the serving controller costs, and how fast it acts: `python -m benchmarks.controller [NAME]`.

`idle`: 500 rollouts on a control plane without a node. `rounds` of `reaction` and `first-slice`: a local cluster of
its own with two real routers, and an analyzer that says what the benchmark tells it. Without a name: all of them.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.controller import idle, rounds
from benchmarks.controller.report import Place
from dev.cluster.errors import ClusterError

NAMES = ("idle", "reaction", "first-slice")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmarks.controller: asked to stop"))
    try:
        chosen = _chosen(asked)
        places = {name: Place(asked.write, f"benchmarks.controller {name}") for name in chosen if asked.write}
        for name, measure in chosen.items():
            text = measure()
            print(text)
            if name in places:
                places[name].fill(text)
    except (ClusterError, ValueError) as error:
        print(f"benchmarks.controller: {error}", file=sys.stderr)
        return 1
    return 0


def _chosen(asked: argparse.Namespace) -> dict[str, Callable[[], str]]:
    """`reaction` and `first-slice` are seen in the same rounds."""

    def of_idle() -> str:
        return idle.markdown(idle.measure(asked.rollouts, asked.window))

    def of_rounds() -> str:
        return rounds.markdown(rounds.measure(asked.cluster, asked.rounds), None if asked.write else asked.name)

    match asked.name:
        case None:
            return {"idle": of_idle, "rounds": of_rounds}
        case "idle":
            return {"idle": of_idle}
        case _:
            return {"rounds": of_rounds}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.controller", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES, help="one of them; none: all")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures between their marks in this file")
    group = parser.add_argument_group("idle")
    group.add_argument("--rollouts", type=_at_least(1), default=500, help="how many (default 500)")
    group.add_argument("--window", type=_at_least(1), default=120, help="idle seconds (default 120)")
    group = parser.add_argument_group("reaction and first-slice")
    group.add_argument("--rounds", type=_at_least(2), default=15, help="candidates to start and take back (default 15)")
    group.add_argument("--cluster", default="bench", help="name of the cluster, removed at the end (default bench)")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return whole


if __name__ == "__main__":
    sys.exit(main())
