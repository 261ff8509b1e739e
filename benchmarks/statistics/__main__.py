"""`python -m benchmarks.statistics`: evaluations per second beside gbstats and spotify-confidence, one interleaved run.

    uv run --with gbstats --with spotify-confidence python -m benchmarks.statistics

Ours: one look of one count metric added to a rollout that has had 120 looks (100 buckets, all start times), which
decides. gbstats: one sequential t test of the same two totals. spotify-confidence: one z test of them. Medians of
rounds; a library that is not installed is left out and said so.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

from benchmarks.detection.scenarios import UNEVEN, Scenario
from benchmarks.detection.simulator import Rollout
from crossfade_analyzer.statistics.look import Counts, Look
from crossfade_analyzer.statistics.rollout import MetricPlan, RolloutPlan, State

ROUNDS, PER_ROUND = 15, 20
TOTALS = ((2620, 263_927), (913, 96_073))


def ours() -> Callable[[], None]:
    state = State(RolloutPlan((MetricPlan("error-rate", "count", "Deterioration"),)))
    index = 0

    def add(look: Any) -> None:
        nonlocal index
        x, n = (tuple(tuple(map(int, row)) for row in rows.tolist()) for rows in (look.err, look.req))
        counts = {"error-rate": Counts((x[0], x[1]), (n[0], n[1]))}
        state.update(Look(index, int(look.step), Decimal(str(look.weight)), Decimal(index + 1), counts))
        index += 1

    last: Any = None
    for look, _ in Rollout(Scenario("speed", users=UNEVEN), 1):
        if look.k >= 120:
            break
        add(look)
        last = copy.deepcopy(look)

    return lambda: add(last)


def gbstats() -> Callable[[], None]:
    tests = importlib.import_module("gbstats.frequentist.tests")
    statistics = importlib.import_module("gbstats.models.statistics")
    arms = [statistics.ProportionStatistic(n=n, sum=x) for x, n in TOTALS]
    config = tests.SequentialConfig(difference_type="absolute")
    return lambda: tests.SequentialTwoSidedTTest(*arms, config).compute_result()


def spotify() -> Callable[[], None]:
    pandas = importlib.import_module("pandas")
    confidence = importlib.import_module("spotify_confidence")
    frame = pandas.DataFrame({"arm": ["a", "b"], "x": [x for x, _ in TOTALS], "n": [n for _, n in TOTALS]})

    def test() -> None:
        judged = confidence.ZTest(frame, "x", None, "n", "arm", interval_size=0.95)
        judged.difference("a", "b")

    return test


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser("python -m benchmarks.statistics", description=__doc__, formatter_class=form).parse_args()
    found: dict[str, Callable[[], None]] = {"crossfade": ours()}
    for name, factory in (("gbstats", gbstats), ("spotify-confidence", spotify)):
        try:
            found[name] = factory()
            found[name]()
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
            found.pop(name, None)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(ROUNDS):
        for name, evaluate in found.items():
            begin = time.process_time()
            for _ in range(PER_ROUND):
                evaluate()
            times[name].append((time.process_time() - begin) / PER_ROUND)
    print("| library | one evaluation, ms (median; range) | relative to crossfade |\n|---|---:|---:|")
    base = median(times["crossfade"])
    for name, seen in times.items():
        ms = f"{1e3 * median(seen):.2f} ({1e3 * min(seen):.2f} - {1e3 * max(seen):.2f})"
        print(f"| {name} | {ms} | {median(seen) / base:.2f} |")


if __name__ == "__main__":
    main()
