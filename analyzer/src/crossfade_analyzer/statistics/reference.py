"""A stable door for reference cases and simulators: `evaluate(method, inputs)` and `decider`. No logic of its own.

`evaluate` maps a method name and JSON-like inputs to the code that the product runs, and answers a dictionary. A
result that is one number is `{"value": number}`, an interval alone is `{"value": [lower, upper]}`; infinite ends of
intervals are None. A refusal is `{"cannot_judge": reason, "sentence": ...}`. Unknown methods raise `KeyError`, bad
inputs `ValueError`.
"""

from __future__ import annotations

from typing import Any

from crossfade_analyzer.statistics.decider import decider
from crossfade_analyzer.statistics.reference_experiments import METHODS as EXPERIMENT_METHODS
from crossfade_analyzer.statistics.reference_rollouts import METHODS as ROLLOUT_METHODS
from crossfade_analyzer.statistics.refusals import CannotJudge

__all__ = ["METHODS", "decider", "evaluate"]

METHODS = {**ROLLOUT_METHODS, **EXPERIMENT_METHODS}


def evaluate(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The result of `method` (a name of docs/reference/methods.md) for `inputs`."""
    if method not in METHODS:
        raise KeyError(f"no method {method!r}; there are {', '.join(sorted(METHODS))}")
    result = METHODS[method](inputs)
    if isinstance(result, CannotJudge):
        return {"cannot_judge": str(result.reason), "sentence": result.sentence}
    return result if isinstance(result, dict) else {"value": result}
