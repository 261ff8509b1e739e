"""Bits that must never change: a verdict recomputed years later, on any machine, is the same verdict.

If one of these digests changes, stored evidence can no longer be verified: that needs a new rule version, not a new
digest.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from decimal import ROUND_UP, Context, Decimal, localcontext

import pytest

from crossfade_analyzer.statistics.rollout import MetricPlan, RolloutPlan, State
from tests.statistics.worlds import looks

PLANS = {
    "error rate, absolute margin": MetricPlan("error-rate", "count", "Guardrail", margin_absolute=Decimal("0.005")),
    "error rate, relative margin and tolerances": MetricPlan(
        "error-rate",
        "count",
        "Guardrail",
        margin_relative=Decimal("0.25"),
        tolerance_relative=Decimal("0.1"),
        tolerance_absolute=Decimal("0.001"),
    ),
    "mean": MetricPlan("error-rate", "mean", "Guardrail", margin_relative=Decimal("0.25")),
    "slo": MetricPlan("error-rate", "count", "Guardrail", slo=Decimal("0.02")),
    "higher is better": MetricPlan(
        "error-rate", "count", "Guardrail", "HigherIsBetter", margin_absolute=Decimal("0.01")
    ),
}
GOLDEN = {
    "error rate, absolute margin": "01266f248978abd5fbdf0e2245bfabab231586e8b0c0f80d600df216aa468d3c",
    "error rate, relative margin and tolerances": "04009e078107d74e19f44066323f2ee172b6122329fd9bcd5528e88849ba2a58",
    "mean": "a99863dfa88e73ac87c46d7b78689da8cc2f7d0e0894dc48fe37dae0a6680be6",
    "slo": "854e68fea38b90885cf40a163e64718e3e29382ec73ec9ea55c7af1598537cee",
    "higher is better": "3ae18c3f2fba881b441b1ea6f74323a59bdf8838db8a971bdde2abe9278dff22",
}


def trace(name: str) -> str:
    """sha256 over the quantised logs after each look: evidence of harm, for the margin, of a wrong split."""
    state = State(RolloutPlan((PLANS[name],)))
    lines = []
    for look in looks(7, (0.01, 0.015)):
        state.update(look)
        part = state._metrics[0]._parts[0]
        lines.append(f"{state.log_e} {part.log_e_proof} {state._split._log_e}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("name", PLANS)
def test_the_trace_is_the_committed_one(name: str) -> None:
    assert trace(name) == GOLDEN[name]


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext(Context(prec=5, rounding=ROUND_UP)):
        assert trace("error rate, absolute margin") == GOLDEN["error rate, absolute margin"]


def test_another_hash_seed_gives_the_same_bits() -> None:
    code = "from tests.statistics.test_golden import trace; print(trace('slo'))"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == GOLDEN["slo"]
