"""What each verb asks of an Experiment: pure functions from what was seen to the patch that is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.experiment import DecisionChoice, DecisionRequest, Exclusion, Lane
from crossfade_operator.api.experiment_status import ExperimentPhase
from crossfade_operator.cli.experiments.planning import NOT_ASKED
from crossfade_operator.cli.experiments.seen import design_hash
from crossfade_operator.cli.problem import Problem
from crossfade_operator.core.experiment import deciding, findings
from crossfade_operator.core.experiment.view import View
from crossfade_operator.core.signatures import signed, state_of

Phase = ExperimentPhase

_EXPOSED = (Phase.APPROVED, Phase.RUNNING, Phase.INTERRUPTED)
_ENDED = (Phase.DECIDED, Phase.ARCHIVED, Phase.INVALID)
_ACTIONS = {DecisionChoice.SHIP: DecisionAction.SHIP, DecisionChoice.ABORT: DecisionAction.ABORT}


@dataclass(frozen=True)
class Request:
    """A merge patch, the sentence that says what it asks for, and what is still waited for."""

    patch: Mapping[str, Any]
    said: str
    waits: tuple[str, ...] = ()


def start(view: View, by: str) -> Request:
    """Have the design checked, reviewed and run."""
    if view.status.phase in _ENDED:
        raise Problem(
            f"run {view.spec.run} of {view.name} has ended ({view.status.phase}): its evidence is never used again.",
            f"count spec.run up for a new run: {_patch(view, run=view.spec.run + 1)}",
        )
    if view.wanted:
        raise _no(view, "was started already")
    design = design_hash(view)
    missing = (findings.missing_reviews(view, design), findings.asked_changes(view, design))
    unchecked = replace(view, plan=NOT_ASKED)
    waits = (*findings.obstacles(unchecked), *(text for text in missing if text))
    return Request(
        _state(view, "Running", by), f"asked for {view.name} to run as soon as nothing stands against it", waits
    )


def stop(view: View, by: str) -> Request:
    """Take its users back; the last look is taken and a person decides."""
    if view.status.phase in _ENDED:
        raise _no(view, f"has ended already ({view.status.phase})")
    if not view.wanted:
        raise _no(view, "is not asked to run")
    return Request(
        _state(view, "Stopped", by), f"asked for {view.name} to stop: its users get the stable revision again"
    )


def archive(view: View, by: str) -> Request:
    """Put it away; its records stay."""
    if view.status.phase is Phase.ARCHIVED:
        raise _no(view, "is archived already")
    if view.status.phase in _EXPOSED:
        raise Problem(
            f"{view.name} is {str(view.status.phase).lower()}: users may be in its arms.",
            f"stop and decide it first: kubectl crossfade stop exp/{view.name} -n {view.namespace}",
        )
    return Request(_state(view, "Archived", by), f"asked for {view.name} to be archived; its records stay")


@dataclass(frozen=True)
class Choice:
    """What a person decides."""

    action: DecisionChoice
    by: str
    rationale: str
    treatment: str | None = None
    emergency: bool = False


def decide(view: View, choice: Choice) -> Request:
    """Ship or abort. Says what the decision still waits for, and whom it needs when it is against the rule."""
    _may_decide(view, choice)
    lane = Lane.EMERGENCY if choice.emergency else Lane.REGULAR
    asked = DecisionRequest(
        action=choice.action, by=choice.by, rationale=choice.rationale, treatment=choice.treatment, lane=lane
    )
    seen = replace(view, spec=view.spec.model_copy(update={"decision": asked}))
    waits = [*deciding.missing(seen, asked)]
    against = deciding.against_recommendation(seen, asked)
    if against:
        waits.insert(0, _against(view, choice))
    said = f"asked for {view.name} to be decided: {choice.action}" + (", against the recommendation" if against else "")
    return Request({"spec": {"decision": asked.manifest()}}, said, tuple(waits))


def _may_decide(view: View, choice: Choice) -> None:
    if choice.by != view.spec.decision_maker:
        raise Problem(
            f"{view.spec.decision_maker} decides about {view.name}, and you are {choice.by}.",
            "say what you think instead: kubectl crossfade approve|dissent|comment "
            f"exp/{view.name} -n {view.namespace} -m 'why'",
        )
    phase = view.status.phase
    if phase in _ENDED:
        raise Problem(
            f"{view.name} has ended already ({phase}), and a decision is never changed.",
            f"review it instead, or start a new run: {_patch(view, run=view.spec.run + 1)}",
        )
    if phase is Phase.STOPPED or (choice.emergency and phase in _EXPOSED):
        return
    raise Problem(
        f"{view.name} is {str(phase or Phase.DRAFT).lower()}: there is no final result to decide on.",
        f"stop it first (kubectl crossfade stop exp/{view.name} -n {view.namespace}), or decide with --emergency"
        if phase in _EXPOSED
        else f"see where it stands: kubectl crossfade get exp/{view.name} -n {view.namespace}",
    )


def _against(view: View, choice: Choice) -> str:
    recommended = view.status.recommendation or "nothing"
    if choice.emergency:
        return f"this is against the recommendation ({recommended}); as an emergency it is done at once"
    return (
        f"this is against the recommendation ({recommended}); another person agrees with: kubectl crossfade approve "
        f"exp/{view.name} -n {view.namespace} --action {choice.action.value.lower()} -m 'why'"
    )


def exclude(view: View, present: Sequence[Mapping[str, Any]], version: str, added: Mapping[str, str]) -> Request:
    """Leave a time out, for all arms alike. `present`: what is excluded already, as it is written.

    The patch holds the object's `version`, so that nobody's exclusion is lost when two are added at once.
    """
    if view.status.phase in _ENDED:
        raise _no(view, f"has ended already ({view.status.phase}): what it rests on stays as it is")
    try:
        Exclusion.model_validate(added)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = f"--{first['loc'][0]}: " if first["loc"] else ""
        raise Problem(f"{where}{first['msg'].removeprefix('Value error, ')}.") from error
    patch = {"metadata": {"resourceVersion": version}, "spec": {"exclusions": [*present, dict(added)]}}
    return Request(
        patch, f"asked for {added['from']} to {added['to']} to be left out for all arms of {view.name} alike"
    )


def _state(view: View, wanted: str, by: str) -> Mapping[str, Any]:
    """Nothing waits for a name: whoever cannot tell theirs asks without."""
    asked = {"spec": {"desiredState": wanted}}
    signature = signed("state", state_of(view.spec.run, wanted), by) if by else {}
    return {"metadata": {"annotations": signature}, **asked} if signature else asked


def _no(view: View, why: str) -> Problem:
    return Problem(f"{view.name} {why}.", f"kubectl crossfade get exp/{view.name} -n {view.namespace}")


def _patch(view: View, *, run: int) -> str:
    patch = f'{{"spec":{{"run":{run},"desiredState":"Draft","decision":null}}}}'
    return f"kubectl patch experiment {view.name} -n {view.namespace} --type=merge --patch '{patch}'"
