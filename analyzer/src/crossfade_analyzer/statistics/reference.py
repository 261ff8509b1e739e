"""A stable door for reference cases and simulators: `evaluate(method, inputs)` and `decider`. No logic of its own.

`evaluate` maps a method name and JSON-like inputs to the code that the product runs, and answers a dictionary. A
result that is one number is `{"value": number}`, an interval alone is `{"value": [lower, upper]}`; what is infinite is
None. A refusal is `{"cannot_judge": reason, "sentence": ...}`. Unknown methods raise `KeyError`, bad inputs
`ValueError`: numbers that are not finite, levels outside (0, 1), fields that are missing or of another shape.
"""

from __future__ import annotations

from typing import Any

from crossfade_analyzer.statistics.decider import decider
from crossfade_analyzer.statistics.reference_experiments import METHODS as EXPERIMENT_METHODS
from crossfade_analyzer.statistics.reference_inputs import Refused, check, finite
from crossfade_analyzer.statistics.reference_rollouts import METHODS as ROLLOUT_METHODS
from crossfade_analyzer.statistics.refusals import CannotJudge

__all__ = ["METHODS", "decider", "evaluate"]

METHODS = {**ROLLOUT_METHODS, **EXPERIMENT_METHODS}


def evaluate(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The result of `method` (a name of docs/reference/methods.md) for `inputs`."""
    if method not in METHODS:
        raise KeyError(f"no method {method!r}; there are {', '.join(sorted(METHODS))}")
    check(inputs)
    inputs = {name: value for name, value in inputs.items() if value is not None}
    try:
        result = METHODS[method](inputs)
    except Refused as refused:
        result = refused.answer
    except (TypeError, LookupError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"{method} cannot take these inputs: {type(error).__name__}: {error}") from error
    if isinstance(result, CannotJudge):
        return {"cannot_judge": str(result.reason), "sentence": result.sentence}
    named = result if isinstance(result, dict) else {"value": result}
    return {name: finite(value) for name, value in named.items()}
