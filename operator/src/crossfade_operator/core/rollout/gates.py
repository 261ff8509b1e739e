"""What a candidate needs besides its own evidence to hold more than `policy.unprovenSlice`: pure checks, one sentence.

A gate is met for one model: the digest of what the candidate's ready pods run now is compared each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.meta import rfc3339
from crossfade_operator.api.modelendpoint import Gates, Requirement
from crossfade_operator.api.modelrollout import Gate

CONCLUSIONS = (DecisionAction.SHIP, DecisionAction.ABORT, DecisionAction.INVALIDATE)
"""What an experiment can end in."""


@dataclass(frozen=True)
class Conclusion:
    """What an experiment ended in, by a Decision. `superseded_by` names the Decision that replaced it."""

    name: str
    experiment: str
    endpoint: str
    action: DecisionAction
    at: datetime
    model_digest: str | None = None
    expires_at: datetime | None = None
    superseded_by: str | None = None


@dataclass(frozen=True)
class Facts:
    """What gates are judged by. `model` is what the candidate runs; `unclear` says why that is not known."""

    endpoint: str
    revision: str
    now: datetime
    gates: tuple[Gate, ...]
    policy: Gates
    model: str | None = None
    unclear: str | None = None
    conclusions: tuple[Conclusion, ...] = ()
    approvals: tuple[str, ...] = ()


def unmet(facts: Facts) -> str | None:
    """What is missing, in a sentence; None when every gate is met."""
    return next((finding for check in _CHECKS if (finding := check(facts))), None)


def named(facts: Facts) -> tuple[str, ...]:
    """The experiments that gates name."""
    return tuple(gate.experiment for gate in facts.gates if gate.experiment is not None)


def _experiments(facts: Facts) -> str | None:
    return next((finding for name in named(facts) if (finding := _experiment(facts, name))), None)


def _some_experiment(facts: Facts) -> str | None:
    """The endpoint asks for an experiment on this model, whichever."""
    if facts.policy.experiment is Requirement.NOT_REQUIRED or named(facts):
        return None
    here = sorted({one.experiment for one in facts.conclusions if one.endpoint == facts.endpoint})
    findings = [_experiment(facts, name) for name in here]
    if None in findings:
        return None
    if len(findings) == 1:
        return findings[0]
    told = f"none of the {len(findings)} that have ended here says so of {facts.model}" if findings else "there is none"
    return f"the endpoint asks for an experiment's Ship decision on this model (policy.gates.experiment): {told}"


def _experiment(facts: Facts, name: str) -> str | None:
    """Whether an experiment ended in a Ship of this very model that is in force."""
    mine = [one for one in facts.conclusions if one.experiment == name]
    if not mine:
        return f"gate experiment {name}: it is not decided yet"
    last = max(mine, key=lambda one: (one.at, one.name))
    finding = next((found for judge in _OF_A_CONCLUSION if (found := judge(facts, last))), None)
    return f"gate experiment {name}: {finding}" if finding else None


def _is_no_ship(facts: Facts, last: Conclusion) -> str | None:
    return (
        None if last.action is DecisionAction.SHIP else f"it was decided {last.action.value} by {last.name}, not Ship"
    )


def _is_elsewhere(facts: Facts, last: Conclusion) -> str | None:
    if last.endpoint == facts.endpoint:
        return None
    return f"its {last.name} is about users of endpoint {last.endpoint}, not of {facts.endpoint}"


def _is_superseded(facts: Facts, last: Conclusion) -> str | None:
    return f"its {last.name} was superseded by {last.superseded_by}" if last.superseded_by else None


def _is_expired(facts: Facts, last: Conclusion) -> str | None:
    if last.expires_at is None or facts.now < last.expires_at:
        return None
    return f"its {last.name} expired at {rfc3339(last.expires_at)}: run the experiment again"


def _is_of_another_model(facts: Facts, last: Conclusion) -> str | None:
    if facts.model is None:
        return facts.unclear or "the candidate's ready pods do not say yet what they run"
    if last.model_digest == facts.model:
        return None
    return f"its {last.name} is about model {last.model_digest}, and the candidate runs {facts.model}"


_OF_A_CONCLUSION: tuple[Callable[[Facts, Conclusion], str | None], ...] = (
    _is_no_ship,
    _is_elsewhere,
    _is_superseded,
    _is_expired,
    _is_of_another_model,
)


def _approvals(facts: Facts) -> str | None:
    wanted = [gate.approvals for gate in facts.gates if gate.approvals is not None]
    needed = max([facts.policy.approvals, *wanted])
    if len(facts.approvals) >= needed:
        return None
    return (
        f"gate approvals: {len(facts.approvals)} of {needed} people approve revision {facts.revision} by Review"
        f"{_names(facts.approvals)}"
    )


def _names(people: Iterable[str]) -> str:
    told = ", ".join(people)
    return f" ({told})" if told else ""


_CHECKS: tuple[Callable[[Facts], str | None], ...] = (_experiments, _some_experiment, _approvals)
