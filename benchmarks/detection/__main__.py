"""`python -m benchmarks.detection`: whole rollouts, ours beside others, a table and plots.

python -m benchmarks.detection --rollouts 20                      # minutes, all scenarios
python -m benchmarks.detection --only "1 %, uneven users, x2" --rollouts 200 --plots docs/images
python -m benchmarks.detection --decider my_module:factory        # somebody else's, beside ours
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.detection.limits import limit
from benchmarks.detection.play import End, Score, load, play, score
from benchmarks.detection.report import plots, table
from benchmarks.detection.scenarios import Scenario, scenarios

OURS = "crossfade_analyzer.statistics.reference:decider"


def _one(scenario: Scenario, deciders: tuple[str, ...], skip: tuple[str, ...], seed: int) -> dict[str, End]:
    return play(scenario, [load(name) for name in deciders], seed, skip)


def _run(scenario: Scenario, options: argparse.Namespace) -> list[Score]:
    """All rollouts of one scenario; the seeds are the run's seed and the rollouts after it."""
    seeds = range(options.seed, options.seed + options.rollouts)
    job = partial(_one, scenario, (OURS, *options.decider), tuple(options.skip))
    with ProcessPoolExecutor(options.processes) as pool:
        ends = list(pool.map(job, seeds))
    return [score(scenario, name, [end[name] for end in ends]) for name in ends[0]]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.detection", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=10, help="per scenario (10); the docs' table uses more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", action="append", default=[], help="a scenario's full name; may be given again")
    parser.add_argument("--decider", action="append", default=[], help="module:factory; may be given again")
    parser.add_argument("--skip", action="append", default=[], help="a decider's name; may be given again")
    parser.add_argument("--limit-rollouts", type=int, default=20, help="for the clustered limit's design effect")
    parser.add_argument("--json", type=Path, help="also write scores and limits here")
    parser.add_argument("--plots", type=Path, help="also write PNG and SVG into this folder (needs matplotlib)")
    parser.add_argument(
        "--from-json", type=Path, action="append", default=[], help="print and plot earlier runs instead of playing"
    )
    return parser.parse_args(arguments)


def _played(options: argparse.Namespace) -> tuple[list[Score], dict[str, tuple[float, float] | None]]:
    known = {scenario.name: scenario for scenario in scenarios()}
    unknown = [name for name in options.only if name not in known]
    if unknown:
        sys.exit(f"no scenario {unknown[0]!r}; there are: {'; '.join(known)}")
    scores: list[Score] = []
    limits: dict[str, tuple[float, float] | None] = {}
    for name, scenario in known.items():
        if options.only and name not in options.only:
            continue
        print(f"{name}: {options.rollouts} rollouts", file=sys.stderr, flush=True)
        scores += _run(scenario, options)
        limits[name] = limit(scenario, rollouts=options.limit_rollouts, seed=options.seed + 1_000_000)
    return scores, limits


def _stored(paths: list[Path]) -> tuple[list[Score], dict[str, tuple[float, float] | None]]:
    scores: list[Score] = []
    limits: dict[str, tuple[float, float] | None] = {}
    for path in paths:
        stored = json.loads(path.read_text())
        scores += [Score(**values) for values in stored["scores"]]
        limits |= {name: (value[0], value[1]) if value else None for name, value in stored["limits"].items()}
    return scores, limits


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    if options.from_json:
        scores, limits = _stored(options.from_json)
    else:
        scores, limits = _played(options)
    print(table(scores, limits), end="")
    if options.json:
        stored = {"scores": [asdict(value) for value in scores], "limits": limits}
        options.json.write_text(json.dumps(stored, indent=1) + "\n")
    if options.plots:
        for path in plots(scores, limits, options.plots):
            print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
