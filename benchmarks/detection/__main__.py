"""`python -m benchmarks.detection`: whole rollouts, ours beside others, a table and plots.

python -m benchmarks.detection --rollouts 20                      # minutes, all scenarios
python -m benchmarks.detection --only "1 %, uneven users, x2" --rollouts 200 --plots docs/images
python -m benchmarks.detection --decider my_module:factory        # somebody else's, beside ours
python -m benchmarks.detection --rollouts 60 --harmless 200 --save run.jsonl   # goes on where it was interrupted
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.detection.incumbents import NAMES
from benchmarks.detection.limits import limit
from benchmarks.detection.play import End, Score, load, play, score
from benchmarks.detection.record import Record
from benchmarks.detection.report import plots, table
from benchmarks.detection.scenarios import Scenario, scenarios

OURS = "crossfade_analyzer.statistics.reference:decider"


def _one(scenario: Scenario, deciders: tuple[str, ...], job: tuple[int, tuple[str, ...]]) -> tuple[int, dict[str, End]]:
    seed, skip = job
    return seed, play(scenario, [load(name) for name in deciders], seed, skip)


def _jobs(scenario: Scenario, options: argparse.Namespace, record: Record) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The seeds still to be played and whom to skip: of the further harmless rollouts the other rules see none."""
    more = max(options.harmless, options.rollouts) if scenario.harmless else options.rollouts
    for i in range(more):
        if not record.played(scenario.name, options.seed + i):
            yield options.seed + i, (*options.skip, *(NAMES if i >= options.rollouts else ()))


def _run(scenario: Scenario, options: argparse.Namespace, record: Record) -> None:
    """The seeds are the run's seed and the rollouts after it."""
    jobs = list(_jobs(scenario, options, record))
    if jobs:
        print(f"{scenario.name}: {len(jobs)} rollouts", file=sys.stderr, flush=True)
        with ProcessPoolExecutor(options.processes) as pool:
            for seed, ends in pool.map(partial(_one, scenario, (OURS, *options.decider)), jobs):
                record.add(scenario.name, seed, ends)
    if scenario.name not in record.limits:
        found = limit(scenario, rollouts=options.limit_rollouts, seed=options.seed + 1_000_000)
        record.add_limit(scenario.name, found)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="benchmarks.detection", description=__doc__, formatter_class=form)
    parser.add_argument("--rollouts", type=int, default=10, help="per scenario (10); the docs' table uses more")
    parser.add_argument("--harmless", type=int, default=0, help="of harmless scenarios ours plays so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], help="a scenario's full name; may be given again")
    parser.add_argument("--decider", action="append", default=[], help="module:factory; may be given again")
    parser.add_argument("--skip", action="append", default=[], help="a decider's name; may be given again")
    parser.add_argument("--limit-rollouts", type=int, default=20, help="for the clustered limit's design effect")
    parser.add_argument("--save", type=Path, help="keep every rollout here, and play only those not kept yet")
    parser.add_argument("--show", action="store_true", help="print and plot what --save has kept; play nothing")
    parser.add_argument("--plots", type=Path, help="also write PNG and SVG into this folder (needs matplotlib)")
    return parser.parse_args(arguments)


def _chosen(options: argparse.Namespace) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in scenarios()}
    unknown = [name for name in options.only if name not in known]
    if unknown:
        sys.exit(f"no scenario {unknown[0]!r}; there are: {'; '.join(known)}")
    return [scenario for name, scenario in known.items() if not options.only or name in options.only]


def _scores(chosen: list[Scenario], record: Record) -> list[Score]:
    return [
        score(scenario, name, ends) for scenario in chosen for name, ends in record.ends(scenario.name).items()
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    if options.show and not options.save:
        sys.exit("--show prints what --save FILE has kept; name the file")
    record, chosen = Record(options.save), _chosen(options)
    if not options.show:
        for scenario in sorted(chosen, key=lambda scenario: not scenario.harmless):
            _run(scenario, options, record)
    scores = _scores(chosen, record)
    print(table(scores, record.limits), end="")
    if options.plots:
        for path in plots(scores, record.limits, options.plots):
            print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
