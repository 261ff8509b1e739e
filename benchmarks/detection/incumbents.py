"""What others do, in the same form as ours: rules of Argo Rollouts, Flagger and Kayenta, a z test, and an oracle.

Behaviour as documented and read in their sources (Argo Rollouts 9f8d111d8, Flagger 15bd6ad5, Kayenta a69573be); their
defaults where they have any. `tuned` means a success threshold one point below stable's true success rate, which nobody
knows in practice.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from statistics import NormalDist
from typing import Any

from benchmarks.detection.scenarios import Scenario
from crossfade_analyzer.statistics import mann_whitney

Decide = Callable[[Any, dict[str, Any]], str]
NAMES = (
    "Argo 99 %", "Argo tuned", "Flagger 99 %", "Flagger tuned", "Kayenta 30 min", "Kayenta 5 min", "z every look",
    "oracle SPRT",
)  # fmt: skip


def incumbents(scenario: Scenario) -> dict[str, Decide]:
    tuned = 1.0 - scenario.baseline - 0.01
    rules: dict[str, Decide] = {
        "Argo 99 %": windows(0.99, minutes=5, allowed=3),
        "Argo tuned": windows(tuned, minutes=5, allowed=3),
        "Flagger 99 %": windows(0.99, minutes=1, allowed=4),
        "Flagger tuned": windows(tuned, minutes=1, allowed=4),
        "Kayenta 30 min": kayenta(30),
        "Kayenta 5 min": kayenta(5),
        "z every look": z_every_look,
    }
    if not scenario.harmless and scenario.slowdown <= 1:
        rules["oracle SPRT"] = oracle(scenario)
    return rules


def tested(decide: Decide) -> Decide:
    """Without the looks of a warm-up, which these rules know nothing of."""
    return lambda look, state: "continue" if look.step < 0 else decide(look, state)


def windows(threshold: float, *, minutes: int, allowed: int) -> Decide:
    """Success rate of the canary per window against a fixed threshold; rolls back at more than `allowed` failed
    windows, never forgiven. Windows without requests are passed, as by both tools' defaults."""

    @tested
    def decide(look: Any, state: dict[str, Any]) -> str:
        state["req"] = state.get("req", 0) + int(look.req[1].sum())
        state["err"] = state.get("err", 0) + int(look.err[1].sum())
        if look.minute - state.get("since", 0.0) < minutes:
            return "continue"
        failed = state["req"] > 0 and 1 - state["err"] / state["req"] < threshold
        state.update(since=look.minute, req=0, err=0, failed=state.get("failed", 0) + failed)
        return "rollback" if state["failed"] > allowed else "continue"

    return decide


def kayenta(every: int, *, conf: float = 0.98, tolerance: float = 0.25) -> Decide:
    """NetflixACA: one point per minute and arm (the error rate), a growing window, judged every `every` minutes: the
    metric fails when Mann and Whitney's interval is above the tolerance times the estimate; one failing metric scores
    0."""

    @tested
    def decide(look: Any, state: dict[str, Any]) -> str:
        points = state.setdefault("points", ([], []))
        for arm in (0, 1):
            requests = int(look.req[arm].sum())
            if requests:
                points[arm].append(int(look.err[arm].sum()) / requests)
        if look.minute - state.get("judged", 0.0) < every or not (points[0] and points[1]):
            return "continue"
        state["judged"] = look.minute
        if sorted(points[0]) == sorted(points[1]):
            return "continue"
        lower, _, estimate = mann_whitney.interval(points[1], points[0], conf)
        return "rollback" if lower > tolerance * abs(estimate) and estimate > 0 else "continue"

    return decide


@tested
def z_every_look(look: Any, state: dict[str, Any]) -> str:
    """One-sided 1 % test of two pooled proportions, at every look."""
    sums = state.setdefault("sums", [0, 0, 0, 0])
    for i, value in enumerate((look.err[0].sum(), look.req[0].sum(), look.err[1].sum(), look.req[1].sum())):
        sums[i] += int(value)
    x0, n0, x1, n1 = sums
    if not (n0 and n1 and x0 + x1):
        return "continue"
    pooled = (x0 + x1) / (n0 + n1)
    se = sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    critical = NormalDist().inv_cdf(1 - look.plan["alpha"])
    return "rollback" if se > 0 and (x1 / n1 - x0 / n0) / se > critical else "continue"


def oracle(scenario: Scenario) -> Decide:
    """A likelihood ratio test that knows the ratio and the onset, and that requests are independent."""

    @tested
    def decide(look: Any, state: dict[str, Any]) -> str:
        if look.minute <= scenario.onset:
            return "continue"
        x0, x1 = int(look.err[0].sum()), int(look.err[1].sum())
        n0, n1 = int(look.req[0].sum()), int(look.req[1].sum())
        if n0 and n1:
            pi = n1 / (n0 + n1)
            q = scenario.ratio * n1 / (scenario.ratio * n1 + n0)
            state["ll"] = state.get("ll", 0.0) + x1 * log(q / pi) + x0 * log((1 - q) / (1 - pi))
        return "rollback" if state.get("ll", 0.0) >= -log(look.plan["alpha"]) else "continue"

    return decide
