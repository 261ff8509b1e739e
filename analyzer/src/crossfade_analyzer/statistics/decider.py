"""Our judgement in the form that rollout simulators drive: `factory(scenario)` -> {name: decide(look, state)}.

`look` has `k`, `minute`, `step` (-1 in a warm-up), `weight`, `req` and `err` of shape (2, B), `lat` of shape (2, B, J
+ 1) or None, `lat_bounds` and `plan`; `state` is a dict, empty at first, of one rollout. Everything is decided by
`rollout.State`, as in the service.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossfade_analyzer.statistics.arithmetic import exact
from crossfade_analyzer.statistics.look import WARM_UP, Counts, Look, PerArm
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan
from crossfade_analyzer.statistics.rollout import State

Decide = Callable[[Any, dict[str, Any]], str]
ERRORS, LATENCY = "error-rate", "latency"
_ALMOST_NONE = Decimal("0.000001")


def decider(scenario: Any) -> dict[str, Decide]:
    """`crossfade` rolls back on evidence of harm and otherwise continues: promotion is then a matter of exposure.
    `crossfade prove` in addition promotes as soon as errors are proven within a margin of 25 %. The tolerances are
    none."""
    return {"crossfade": _detect, "crossfade prove": _prove}


def _detect(look: Any, state: dict[str, Any]) -> str:
    return "rollback" if _updated(look, state, proves=False).harmful else "continue"


def _prove(look: Any, state: dict[str, Any]) -> str:
    judged = _updated(look, state, proves=True)
    if judged.harmful:
        return "rollback"
    return "promote" if judged.proven_at is not None else "continue"


def _updated(look: Any, state: dict[str, Any], *, proves: bool) -> State:
    key = "crossfade prove" if proves else "crossfade"
    if key not in state:
        state[key] = State(_plan(look, proves=proves))
    judged: State = state[key]
    judged.update(_translated(look))
    return judged


def _plan(look: Any, *, proves: bool) -> RolloutPlan:
    """From the simulator's plan: errors, and latency when there is a histogram."""
    bounds = tuple(f"{LATENCY}/{j}" for j in _bins(look))
    metrics = [
        MetricPlan(
            ERRORS,
            "count",
            "Guardrail" if proves else "Deterioration",
            margin_relative=Decimal("0.25") if proves else None,
        )
    ]
    if bounds:
        metrics.append(MetricPlan(LATENCY, "latency", "Deterioration", tolerance_relative=Decimal(0), bounds=bounds))
    return RolloutPlan(
        tuple(metrics), alpha=exact(look.plan["alpha"]), horizon_minutes=exact(look.plan["horizon_minutes"])
    )


def _translated(look: Any) -> Look:
    requests = _rows(look.req)
    counts = {ERRORS: Counts(_rows(look.err), requests)}
    for j in _bins(look):
        counts[f"{LATENCY}/{j}"] = Counts(_slower(look.lat, j), _slower(look.lat, -1))
    step = int(look.step)
    minutes = Decimal(0) if step == WARM_UP else exact(float(look.minute))
    return Look(int(look.k), step, _share(look), minutes, counts)


def _share(look: Any) -> Decimal:
    """The nominal share; simulators also write 0 and 1 where an arm has no users, which only the split check reads."""
    return min(max(exact(float(look.weight)), _ALMOST_NONE), 1 - _ALMOST_NONE)


def _bins(look: Any) -> tuple[int, ...]:
    """The distinct bins whose upper bounds are tested, chosen before the rollout."""
    chosen = look.plan.get("lat_quantile_idx")
    if look.lat is None or chosen is None:
        return ()
    return tuple(dict.fromkeys(int(j) for j in chosen))


def _slower(lat: Any, j: int) -> PerArm:
    """Timed requests slower than the upper bound of bin `j`, per arm and bucket; all of them for -1.

    A histogram may leave out what was never answered: its own total is what its bins are shares of.
    """
    return _rows(_whole(lat)[:, :, j + 1 :].sum(axis=2, dtype=np.int64))


def _rows(array: Any) -> PerArm:
    control, candidate = (tuple(row) for row in _whole(array).tolist())
    return control, candidate


def _whole(array: Any) -> NDArray[np.int64]:
    given = np.asarray(array)
    with np.errstate(invalid="ignore"):
        counts = given.astype(np.int64)
    if not np.array_equal(counts, given):
        raise ValueError(f"a look holds whole numbers per arm and bucket, not {given[counts != given][0]}")
    return counts
