"""`python -m benchmarks.statistics`: one look of one metric evaluated, beside gbstats and spotify-confidence on the
same counts, in one interleaved run.

    uv run --with gbstats --with spotify-confidence python -m benchmarks.statistics

Input: errors and requests per arm and analysis bucket (100) of a look, in a rollout that has had 200. Ours adds them
to the rollout's evidence, which decides, and in a second row also makes everything that is shown (ratio, difference,
their sequences, attribution). gbstats as GrowthBook runs it: the rows of its query (bucket sums, squares and products,
so that users' variance is respected) through `process_single_metric`, a sequential ratio test; and its test class
alone. spotify-confidence: one z test on the same rows. Medians of rounds of CPU time; a library that is not installed
is left out and said so.

    python -m benchmarks.statistics --replay 1440    # instead: a stored rollout of so many looks, folded anew
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from statistics import median
from typing import Any

import numpy as np

from benchmarks.detection.scenarios import LATENCY, UNEVEN, Scenario
from benchmarks.detection.simulator import Look as Simulated
from benchmarks.detection.simulator import Rollout
from crossfade_analyzer.fold import look_of
from crossfade_analyzer.snapshots import Snapshot
from crossfade_analyzer.statistics.look import Counts, Look
from crossfade_analyzer.statistics.rollout import MetricPlan, RolloutPlan, State

ROUNDS, PER_ROUND = 15, 20
BEFORE = 200
KEY = "error-rate"
Evaluate = Callable[[], object]


def simulated() -> list[Simulated]:
    looks = (look for look, _ in Rollout(Scenario("speed", users=UNEVEN), 1))
    return [look for look in looks if look.k <= BEFORE]


def rows(array: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    control, candidate = (tuple(row) for row in array.tolist())
    return control, candidate


def ours(looks: list[Simulated], *, shown: bool = False) -> Evaluate:
    state = State(RolloutPlan((MetricPlan(KEY, "count", "Deterioration"),)))

    def add(index: int, look: Simulated) -> None:
        counts = {KEY: Counts(rows(look.err), rows(look.req))}
        state.update(Look(index, look.step, Decimal(str(look.weight)), Decimal(str(look.minute)), counts))

    for look in looks:
        add(look.k, look)

    def evaluate() -> object:
        add(state.looks, looks[-1])
        return state.result() if shown else state.harmful

    return evaluate


class Query:
    """What GrowthBook's query gives by now: sums, squares and products over buckets, by variation."""

    def __init__(self, looks: list[Simulated]) -> None:
        self.err = np.sum([look.err for look in looks[:-1]], axis=0)
        self.req = np.sum([look.req for look in looks[:-1]], axis=0)
        self.last = looks[-1]

    def rows(self) -> list[dict[str, Any]]:
        y, x = self.err + self.last.err, self.req + self.last.req
        squares = zip(y.sum(1), (y * y).sum(1), x.sum(1), (x * x).sum(1), (x * y).sum(1), strict=True)
        names = ("main_sum", "main_sum_squares", "denominator_sum", "denominator_sum_squares",
                 "main_denominator_sum_product")  # fmt: skip
        count = {"dimension": "", "users": y.shape[1], "count": y.shape[1]}
        return [
            {"variation": str(arm), **count, **dict(zip(names, map(int, sums), strict=True))}
            for arm, sums in enumerate(squares)
        ]


def gbstats(looks: list[Simulated]) -> Evaluate:
    pipeline = importlib.import_module("gbstats.gbstats")
    settings = importlib.import_module("gbstats.models.settings")
    query = Query(looks)
    metric = settings.MetricSettingsForStatsEngine(
        "errors", "errors", "ratio", "count", inverse=True, denominator_metric_type="count"
    )
    analysis = settings.AnalysisSettingsForStatsEngine(
        ["stable", "canary"], ["0", "1"], [0.5, 0.5],
        stats_engine="frequentist", sequential_testing_enabled=True, alpha=0.01,
    )  # fmt: skip
    return lambda: pipeline.process_single_metric(query.rows(), metric, [analysis])


def gbstats_class(looks: list[Simulated]) -> Evaluate:
    tests = importlib.import_module("gbstats.frequentist.tests")
    statistics = importlib.import_module("gbstats.models.statistics")
    query = Query(looks)

    def mean(row: dict[str, Any], of: str) -> Any:
        return statistics.SampleMeanStatistic(
            n=row["count"], sum=row[f"{of}_sum"], sum_squares=row[f"{of}_sum_squares"]
        )

    def evaluate() -> object:
        arms = [
            statistics.RatioStatistic(
                n=row["count"],
                m_statistic=mean(row, "main"),
                d_statistic=mean(row, "denominator"),
                m_d_sum_of_products=row["main_denominator_sum_product"],
            )
            for row in query.rows()
        ]
        return tests.SequentialTwoSidedTTest(*arms, tests.SequentialConfig(alpha=0.01)).compute_result()

    return evaluate


def spotify(looks: list[Simulated]) -> Evaluate:
    pandas = importlib.import_module("pandas")
    confidence = importlib.import_module("spotify_confidence")
    query = Query(looks)

    def test() -> object:
        columns = ("main_sum", "main_sum_squares", "count", "variation")
        frame = pandas.DataFrame(query.rows())
        return confidence.ZTest(frame, *columns, interval_size=0.99).difference("0", "1")

    return test


def compared() -> None:
    looks = simulated()
    candidates: dict[str, Callable[[list[Simulated]], Evaluate]] = {
        "crossfade": ours,
        "crossfade, with all that is shown": lambda seen: ours(seen, shown=True),
        "gbstats, as GrowthBook runs it": gbstats,
        "gbstats, its test class alone": gbstats_class,
        "spotify-confidence": spotify,
    }
    found: dict[str, Evaluate] = {}
    for name, factory in candidates.items():
        try:
            found[name] = factory(looks)
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
    print("| evaluation of a look of one metric | ms of CPU: median (range) | relative to crossfade |\n|---|---:|---:|")
    base = median(times["crossfade"])
    for name, seen in times.items():
        ms = f"{1e3 * median(seen):.2f} ({1e3 * min(seen):.2f} - {1e3 * max(seen):.2f})"
        print(f"| {name} | {ms} | {median(seen) / base:.2f} |")


def stored(looks: int) -> list[str]:
    """Snapshots as they are kept: errors, and latency at three bounds. One ramp, whose last step goes on."""
    bodies, step = [], 0
    for k, look in zip(range(looks), _endless(), strict=False):
        counts = {KEY: (rows(look.err), None)}
        counts |= {f"latency/{j}": (rows(look.lat[:, :, j + 1 :].sum(axis=2)), None) for j in (3, 6, 9)}
        step = max(step, look.step)
        snapshot = Snapshot(k, step, Decimal(str(look.weight)), 60_000 * k, 60_000 * (k + 1), 0, rows(look.req),
                            counts, {})  # fmt: skip
        bodies.append(json.dumps(snapshot.body()))
    return bodies


def _endless() -> Iterator[Any]:
    seed = 0
    while True:
        seed += 1
        yield from (look for look, _ in Rollout(LATENCY, seed))


def replayed(looks: int) -> None:
    bodies = stored(looks)
    latency = MetricPlan("latency", "latency", "Deterioration", bounds=tuple(f"latency/{j}" for j in (3, 6, 9)))
    plan = RolloutPlan((MetricPlan(KEY, "count", "Deterioration"), latency), horizon_minutes=Decimal(looks))
    state, begin = State(plan), time.process_time()
    for body in bodies:
        state.update(look_of(Snapshot.of(json.loads(body)), 0))
    seconds = time.process_time() - begin
    print(
        f"{looks} stored looks of 4 series, 100 buckets: {seconds:.1f} s of CPU, {1e3 * seconds / looks:.2f} ms a look"
    )
    print(f"memory of the state after {', '.join(map(str, _sizes(looks)))} looks: {_memory(plan, bodies)}")


def _sizes(looks: int) -> tuple[int, ...]:
    return looks // 8, looks // 2, looks


def _memory(plan: RolloutPlan, bodies: list[str]) -> str:
    """kB held by a state; it grows with starts (at most a few dozen), not with looks."""
    sizes = []
    for upto in _sizes(len(bodies)):
        tracemalloc.start()
        state = State(plan)
        for body in bodies[:upto]:
            state.update(look_of(Snapshot.of(json.loads(body)), 0))
        sizes.append(tracemalloc.get_traced_memory()[0] / 1024)
        tracemalloc.stop()
    return ", ".join(f"{size:.0f} kB" for size in sizes)


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.statistics", description=__doc__, formatter_class=form)
    parser.add_argument("--replay", type=int, metavar="LOOKS", help="fold a stored rollout instead")
    options = parser.parse_args()
    if options.replay:
        replayed(options.replay)
    else:
        compared()


if __name__ == "__main__":
    main()
