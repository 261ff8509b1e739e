"""`python -m benchmarks.statistics.guarantees`: what is promised, counted in simulations with persistent user effects.

python -m benchmarks.statistics.guarantees                  # a minute or two
python -m benchmarks.statistics.guarantees --runs 2000      # the size of docs/reference/methods.md
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from math import sqrt

from benchmarks.statistics.populations import BOUNDS, MICRO, Trial, World
from crossfade_analyzer.statistics.experiments import always_valid, group_sequential, monitoring, planning, ratio
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, Comparison
from crossfade_analyzer.statistics.experiments.contrast import ArmValue, Pair, arm_value, pair
from crossfade_analyzer.statistics.experiments.spending import Spending
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan
from crossfade_analyzer.statistics.result import MetricResult, SampleRatioResult
from crossfade_analyzer.statistics.rollout import State

WORLDS = {
    "counts": World(),
    "latency": World(kind="latency", rate=0.3, unevenness=0.05),
    "means": World(kind="mean", rate=1.0, unevenness=0.3),
}
DESIGNS = {
    "LD O'Brien-Fleming": Spending("lan_demets_obf"),
    "LD Pocock": Spending("lan_demets_pocock"),
    "power 2": Spending("power", 2.0),
    "Hwang-Shih-DeCani -4": Spending("hwang_shih_decani", -4.0),
}
ALPHA = 0.025
_EFFECT = 1.0
_LEAST_BOUND = 1.9
"""No bound at 2.5 % is lower; looks below it need not be judged."""


@dataclass(frozen=True)
class Found:
    """In how many of `runs` something happened whose probability is promised to be at most (or at least) `promised`."""

    what: str
    hits: int
    runs: int
    promised: float
    at_least: bool = False

    @property
    def rate(self) -> float:
        return self.hits / self.runs

    @property
    def error(self) -> float:
        return sqrt(self.promised * (1 - self.promised) / self.runs)

    def kept(self, errors: float = 2.0) -> bool:
        """Within so many standard errors of what is promised."""
        beyond = self.promised - self.rate if self.at_least else self.rate - self.promised
        return beyond <= errors * self.error


def plan(world: World, **margins: Decimal) -> RolloutPlan:
    """One metric m, without a tolerance, to be proven when a margin is given."""
    metric = MetricPlan(
        "m",
        world.kind,
        "Guardrail" if margins else "Deterioration",
        tolerance_relative=Decimal(0),
        margin_relative=margins.get("margin_relative"),
        margin_absolute=margins.get("margin_absolute"),
        bounds=BOUNDS if world.kind == "latency" else (),
        scale=MICRO if world.kind == "mean" else 1,
    )
    minutes = len(world.shares) * world.looks_per_step
    return RolloutPlan((metric,), alpha=Decimal("0.05"), horizon_minutes=Decimal(minutes))


def false_rollbacks(runs: int, seed: int = 1) -> Iterator[Found]:
    """Harmless versions, looked at every minute; alpha 5 %, so that something is to be seen. Latency is tested without
    its default tolerance."""
    for name, world in WORLDS.items():
        tested = plan(world)
        hits = sum(_ends(tested, world, seed + run).harmful for run in range(runs))
        yield Found(f"false rollback, {name}", hits, runs, 0.05)


def false_alarms_of_the_split(runs: int, seed: int = 1) -> Iterator[Found]:
    world = replace(WORLDS["counts"], rate=0.0)
    tested = replace(plan(world), alpha_srm=Decimal("0.05"))
    hits = 0
    for run in range(runs):
        found = _ends(tested, world, seed + run).result().sample_ratio
        hits += isinstance(found, SampleRatioResult) and found.alarm
    yield Found("false alarm of the split", hits, runs, 0.05)


def _ends(tested: RolloutPlan, world: World, seed: int) -> State:
    state = State(tested)
    for look in world.looks(seed):
        state.update(look)
        if state.harmful:
            break
    return state


def false_promotions(runs: int, seed: int = 1) -> Iterator[Found]:
    """Versions exactly at the margin that must not be called proven; beta 5 %."""
    quarter = Decimal("0.25")
    counts, means = WORLDS["counts"], WORLDS["means"]
    for name, world, margin in (
        ("counts, relative margin", counts, {"margin_relative": quarter}),
        ("counts, absolute margin", counts, {"margin_absolute": quarter * Decimal(str(counts.rate))}),
        ("counts, independent, absolute margin", replace(counts, unevenness=0.0, rate=0.01),
         {"margin_absolute": Decimal("0.0025")}),
        ("latency, relative margin", WORLDS["latency"], {"margin_relative": quarter}),
        ("means, relative margin", means, {"margin_relative": quarter}),
        ("means, absolute margin", means, {"margin_absolute": quarter}),
    ):  # fmt: skip
        at_margin, tested = replace(world, ratio=1.25), plan(world, **margin)
        hits = 0
        for run in range(runs):
            state = State(tested)
            for look in at_margin.looks(seed + run):
                state.update(look)
            hits += state.proven_at is not None
        yield Found(f"false promotion, {name}", hits, runs, 0.05)


def missed_by_sequences(runs: int, seed: int = 1) -> Iterator[Found]:
    """Reported 95 % sequences of ratio and difference, and of the rate beside an SLO, read every third look: rollouts
    in which one ever misses."""
    for name, world in WORLDS.items():
        for true_ratio in (1.0, 1.3):
            played = replace(world, ratio=true_ratio)
            missed = _missed_in(played, plan(played), runs, seed)
            for what in ("ratio", "difference"):
                yield Found(f"95 % sequence misses, {name}, {what}, true ratio {true_ratio}", missed[what], runs, 0.05)
    counts = WORLDS["counts"]
    beside = plan(counts)
    slo = replace(beside.metrics[0], slo=Decimal(str(counts.rate)))
    missed = _missed_in(counts, replace(beside, metrics=(slo,)), runs, seed)
    yield Found("95 % sequence misses, counts, rate beside an SLO", missed["rate"], runs, 0.05)


def _missed_in(world: World, tested: RolloutPlan, runs: int, seed: int) -> Counter[str]:
    return Counter(what for run in range(runs) for what in _missed(world, tested, seed + run))


def _missed(world: World, tested: RolloutPlan, seed: int) -> set[str]:
    state, missed = State(tested), set()
    truth = {
        "ratio": world.ratio,
        "difference": world.rate * (world.ratio - 1),
        "rate": world.rate * world.ratio,
    }
    for look in world.looks(seed):
        state.update(look)
        if look.index % 3 != 2:
            continue
        metric = state.result().metrics["m"]
        if isinstance(metric, MetricResult):
            part = metric.parts[0]
            shown = {"ratio": part.ratio_interval, "difference": part.difference_interval, "rate": part.rate_interval}
            for what, interval in shown.items():
                if interval is not None and not interval.lower <= truth[what] <= interval.upper:
                    missed.add(what)
    return missed


def false_success(runs: int, seed: int = 1) -> Iterator[Found]:
    """A/A experiments of ten days, looked at every second day, one-sided 2.5 %; bounds from observed information."""
    trial = Trial()
    maximum = _information(trial)
    for name, spending in DESIGNS.items():
        design = monitoring.Design(spending, ALPHA, maximum, 5)
        hits = sum(_crosses(design, trial, seed + run) for run in range(runs))
        yield Found(f"false success, {name}", hits, runs, ALPHA)
    hits = sum(_always_valid_excludes(trial, maximum, seed + run) for run in range(runs))
    yield Found("false success, always valid", hits, runs, ALPHA)


def false_harm(runs: int, seed: int = 1) -> Iterator[Found]:
    """A/A experiments as they are judged for harm, one-sided 2.5 %: alpha is spent by a clock that this metric does not
    drive, while its users come in during the first half or its noise is tenfold in the second."""
    for world, trial in (("users come in", Trial()), ("noise grows tenfold", Trial(later=10.0))):
        for name, spending in DESIGNS.items():
            hits = sum(_harmed(spending, trial, seed + run) for run in range(runs))
            yield Found(f"false harm, {name}, {world}", hits, runs, ALPHA)


def _harmed(spending: Spending, trial: Trial, seed: int) -> bool:
    judged: list[monitoring.Judged] = []
    for k, (control, treatment) in enumerate(_looks(trial, seed), start=1):
        found = pair(control, treatment)
        assert isinstance(found, Pair)
        n0, n1 = sum(control.x), sum(treatment.x)
        judged.append(monitoring.Judged(k / 5, found.information, n0 * n1 / (n0 + n1)))
        if found.z() > _LEAST_BOUND:
            bound = monitoring.bound_now(spending, ALPHA, judged)
            if bound is not None and found.z() >= bound:
                return True
    return False


def _looks(trial: Trial, seed: int) -> list[tuple[BucketSums, BucketSums]]:
    return list(trial.arms(seed))[1::2]


def _information(trial: Trial) -> float:
    """At the end, as a plan would have it from another period: the mean over ten."""
    variances = []
    for seed in range(10):
        *_, (control, treatment) = trial.arms(10_000 + seed)
        found = ratio.difference(control, treatment, 0.05)
        assert isinstance(found, Comparison)
        variances.append(found.se**2)
    return len(variances) / sum(variances)


def _crosses(design: monitoring.Design, trial: Trial, seed: int) -> bool:
    """Whether a look ever crosses."""
    readings: list[monitoring.Reading] = []
    looks = _looks(trial, seed)
    for k, (control, treatment) in enumerate(looks):
        reading = monitoring.read(design, control, treatment)
        assert isinstance(reading, monitoring.Reading)
        readings.append(reading)
        if reading.z > _LEAST_BOUND:
            ended = k == len(looks) - 1
            if monitoring.judge(design, readings, [None] * k, ended=ended).crossed:
                return True
    return False


def _always_valid_excludes(trial: Trial, maximum: float, seed: int) -> bool:
    for control, treatment in _looks(trial, seed):
        found = pair(control, treatment)
        assert isinstance(found, Pair)
        if found.z() >= always_valid.halfwidth_one_sided(1.0, found.information, maximum, ALPHA):
            return True
    return False


def power(runs: int, seed: int = 1) -> Iterator[Found]:
    """Experiments of the planned size, each planned by the buckets of another period of its own: success is found as
    often as planned."""
    obf = DESIGNS["LD O'Brien-Fleming"]
    inflation = _inflation(obf, [0.2, 0.4, 0.6, 0.8, 1.0])
    hits = sum(_found_at_the_end(_planned(20_000 + run), seed + run) for run in range(runs))
    yield Found("success found, fixed horizon", hits, runs, 0.8, at_least=True)
    design = monitoring.Design(obf, ALPHA, inflation * (planning.z_sum(ALPHA, 0.2) / _EFFECT) ** 2, 5)
    hits = sum(_crosses(design, _planned(20_000 + run, inflation), seed + run) for run in range(runs))
    yield Found("success found, LD O'Brien-Fleming", hits, runs, 0.8, at_least=True)


def _planned(seed: int, inflation: float = 1.0) -> Trial:
    """As many users as the variance of a period before asks for, which is known from its buckets."""
    base = Trial(users_per_arm=400)
    *_, (before, _) = base.arms(seed)
    value = arm_value(before)
    assert isinstance(value, ArmValue)
    total = planning.mean_total(_EFFECT, sqrt(sum(before.x) * value.variance), 0.0, ALPHA, 0.2) * inflation
    days = sum(before.x) / base.users_per_arm
    return replace(base, users_per_arm=round(total / 2 / days), effect=_EFFECT)


def _inflation(spending: Spending, fractions: list[float]) -> float:
    return group_sequential.inflation(spending, ALPHA, 0.2, fractions)


def _found_at_the_end(trial: Trial, seed: int) -> bool:
    *_, (control, treatment) = trial.arms(seed)
    found = ratio.difference(control, treatment, 2 * ALPHA)
    return isinstance(found, Comparison) and found.ci[0] > 0


SIMULATIONS: dict[str, Callable[[int], Iterator[Found]]] = {
    "rollbacks": false_rollbacks,
    "split": false_alarms_of_the_split,
    "promotions": false_promotions,
    "sequences": missed_by_sequences,
    "designs": false_success,
    "harm": false_harm,
    "power": power,
}


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.statistics.guarantees", description=__doc__,
                                     formatter_class=form)  # fmt: skip
    parser.add_argument("--runs", type=int, default=100, help="simulated rollouts or experiments each (100)")
    parser.add_argument("--only", choices=SIMULATIONS, action="append", help="may be given again")
    options = parser.parse_args()
    print("| what | runs | seen, % | promised, % | |\n|---|---:|---:|---:|---|", flush=True)
    for name in options.only or SIMULATIONS:
        for found in SIMULATIONS[name](options.runs):
            promised = f"{'>=' if found.at_least else '<='} {100 * found.promised:.1f}"
            verdict = "" if found.kept() else "**broken**"
            print(f"| {found.what} | {found.runs} | {100 * found.rate:.1f} | {promised} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
