"""What each verb asks of a ModelRollout: pure functions from the object as it is to the patch that is sent.

A request is an annotation, `crossfade.dev/<verb>: <revision>:<token>`. The revision makes it void for any other
candidate that may have come meanwhile; the token makes it a new request each time. The controller acts once per value.
Of a promotion, `full:` and `emergency:` before the token say how; `crossfade.dev/requested-by` says who asks (admission
checks it against the caller), and `crossfade.dev/rationale` why. An abort or a retry may be signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossfade_operator.api.meta import GROUP
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.rollouts.view import Rollout
from crossfade_operator.core.signatures import signed


@dataclass(frozen=True)
class Request:
    """A merge patch, and the sentence that says what it asks for."""

    patch: Mapping[str, Any]
    said: str


@dataclass(frozen=True)
class Asking:
    """How it is asked, with a `token` that was never used before, by whom, and of a promotion also why."""

    token: str
    by: str = ""
    full: bool = False
    emergency: bool = False
    rationale: str | None = None


def promote(rollout: Rollout, asking: Asking) -> Request:
    """The next step without waiting for the rest of this one; `full`: straight to promotion.

    An emergency acts although gates or approvals are missing; its review is due afterwards.
    """
    revision = _candidate(rollout, "promote")
    if rollout.paused:
        raise Problem(
            f"{rollout.name} is paused: a request to promote would wait unseen.",
            f"kubectl crossfade resume {rollout.name}",
        )
    if rollout.stage not in (None, "Analyzing"):
        raise Problem(
            f"candidate {revision} of {rollout.name} cannot be promoted now (it is {rollout.stage.lower()}).",
            f"ask again when it is analyzed: kubectl crossfade watch {rollout.name}",
        )
    flags = ("full:" if asking.full else "") + ("emergency:" if asking.emergency else "")
    said = {
        "promote": f"{revision}:{flags}{asking.token}",
        "requested-by": asking.by,
        "rationale": asking.rationale,  # None takes away what an earlier request said
    }
    goal = "to be promoted, all remaining steps skipped" if asking.full else "to go on to the next step"
    lane = " as an emergency: the review is due afterwards" if asking.emergency else ""
    return Request(_annotations(said), f"asked for candidate {revision} of {rollout.name} {goal}{lane}")


def abort(rollout: Rollout, asking: Asking) -> Request:
    """Take the candidate out: its users go back to stable in one write of the routing table."""
    revision = _candidate(rollout, "abort")
    if rollout.stage == "Withdrawing":
        raise Problem(
            f"candidate {revision} of {rollout.name} is being withdrawn already.",
            f"kubectl crossfade watch {rollout.name}",
        )
    return Request(
        _signed("abort", f"{revision}:{asking.token}", asking.by),
        f"asked for candidate {revision} of {rollout.name} to be taken out",
    )


def retry(rollout: Rollout, asking: Asking) -> Request:
    """Try the revision that was rolled back once more, from the first step, with evidence of its own."""
    revision = rollout.failed_revision
    if revision is None or rollout.phase != "RolledBack":
        raise Problem(
            f"{rollout.name} has nothing to retry: its phase is {rollout.phase}, and only a revision that was rolled "
            "back can be tried again.",
            f"kubectl crossfade get {rollout.name}",
        )
    return Request(
        _signed("retry", f"{revision}:{asking.token}", asking.by),
        f"asked for revision {revision} of {rollout.name} to be tried again",
    )


def pause(rollout: Rollout) -> Request:
    """Take no further step. Evidence goes on being gathered, and evidence of harm still rolls back."""
    if rollout.paused:
        raise Problem(f"{rollout.name} is paused already.", f"kubectl crossfade resume {rollout.name}")
    return Request({"spec": {"paused": True}}, f"{rollout.name} is paused; evidence of harm still rolls back")


def resume(rollout: Rollout) -> Request:
    """Go on with the steps."""
    if not rollout.paused:
        raise Problem(f"{rollout.name} is not paused.", f"kubectl crossfade get {rollout.name}")
    return Request({"spec": {"paused": False}}, f"{rollout.name} goes on")


def _candidate(rollout: Rollout, verb: str) -> str:
    if rollout.candidate is not None:
        return rollout.candidate
    stable = f"revision {rollout.stable} serves everyone" if rollout.stable else "no revision serves yet"
    raise Problem(
        f"{rollout.name} has no candidate to {verb}: {stable} (phase {rollout.phase}).",
        "a change of spec.template starts one",
    )


def _signed(verb: str, token: str, by: str) -> Mapping[str, Any]:
    """Nothing waits for a name: whoever cannot tell theirs asks without."""
    return {"metadata": {"annotations": {f"{GROUP}/{verb}": token, **(signed(verb, token, by) if by else {})}}}


def _annotations(said: Mapping[str, str | None]) -> Mapping[str, Any]:
    return {"metadata": {"annotations": {f"{GROUP}/{name}": text for name, text in said.items()}}}
