from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.rollouts import requests
from crossfade_operator.cli.rollouts.requests import Asking
from crossfade_operator.cli.rollouts.view import Rollout, rollout_of
from crossfade_operator.core.rollout.requests import Request, parse

CANDIDATE = "kx7wq2m9bc"
Edit = Callable[[dict[str, Any]], None]


def _asked(request: requests.Request) -> dict[str, str | None]:
    """What is set, by the annotation's own name."""
    annotations = request.patch["metadata"]["annotations"]
    return {name.removeprefix("crossfade.dev/"): value for name, value in annotations.items() if value is not None}


def test_a_request_names_the_candidate_so_that_it_is_void_for_any_other(rollout_object: dict[str, Any]) -> None:
    rollout = rollout_of(rollout_object)
    assert _asked(requests.promote(rollout, Asking("t1", "ana")))["promote"] == f"{CANDIDATE}:t1"
    assert _asked(requests.promote(rollout, Asking("t1", "ana", full=True)))["promote"] == f"{CANDIDATE}:full:t1"
    assert _asked(requests.abort(rollout, Asking("t2", "ana")))["abort"] == f"{CANDIDATE}:t2"


def test_a_promotion_says_who_asks_and_how(rollout_object: dict[str, Any]) -> None:
    rollout = rollout_of(rollout_object)
    plain = requests.promote(rollout, Asking("t", "ana"))
    assert _asked(plain) == {"promote": f"{CANDIDATE}:t", "requested-by": "ana"}
    urgent = requests.promote(rollout, Asking("t", "ana", full=True, emergency=True, rationale="INC-7"))
    token = f"{CANDIDATE}:full:emergency:t"
    assert _asked(urgent) == {"promote": token, "requested-by": "ana", "rationale": "INC-7"}
    assert parse(token) == Request(CANDIDATE, full=True, emergency=True)
    assert "review is due afterwards" in urgent.said


def test_why_an_earlier_promotion_was_asked_for_is_taken_away(rollout_object: dict[str, Any]) -> None:
    annotations = requests.promote(rollout_of(rollout_object), Asking("t", "ana")).patch["metadata"]["annotations"]
    assert annotations["crossfade.dev/rationale"] is None


def test_retry_names_the_revision_that_failed(rollout_object: dict[str, Any]) -> None:
    _rolled_back(rollout_object)
    asked = _asked(requests.retry(rollout_of(rollout_object), Asking("t3", "ana")))
    assert asked == {"retry": f"{CANDIDATE}:t3", "retry-by": f"{CANDIDATE}:t3 ana"}


def test_nobody_has_to_tell_their_name_to_abort(rollout_object: dict[str, Any]) -> None:
    rollout = rollout_of(rollout_object)
    assert _asked(requests.abort(rollout, Asking("t"))) == {"abort": f"{CANDIDATE}:t"}
    assert _asked(requests.abort(rollout, Asking("t", "ana")))["abort-by"] == f"{CANDIDATE}:t ana"


def test_pause_and_resume_set_the_field(rollout_object: dict[str, Any]) -> None:
    assert requests.pause(rollout_of(rollout_object)).patch == {"spec": {"paused": True}}
    rollout_object["spec"]["paused"] = True
    assert requests.resume(rollout_of(rollout_object)).patch == {"spec": {"paused": False}}


def _rolled_back(obj: dict[str, Any]) -> None:
    obj["status"].update(phase="RolledBack", failedRevision=CANDIDATE)
    del obj["status"]["candidateRevision"], obj["status"]["candidate"]


def _promoted(obj: dict[str, Any]) -> None:
    obj["status"].update(phase="Promoted")
    del obj["status"]["candidateRevision"], obj["status"]["candidate"]


def _new(obj: dict[str, Any]) -> None:
    del obj["status"]


def _paused(obj: dict[str, Any]) -> None:
    obj["spec"]["paused"] = True


def _starting(obj: dict[str, Any]) -> None:
    obj["status"]["candidate"]["stage"] = "Starting"


def _withdrawing(obj: dict[str, Any]) -> None:
    obj["status"]["candidate"]["stage"] = "Withdrawing"


def _as_is(obj: dict[str, Any]) -> None:
    pass


def promote(rollout: Rollout) -> requests.Request:
    return requests.promote(rollout, Asking("t"))


def abort(rollout: Rollout) -> requests.Request:
    return requests.abort(rollout, Asking("t"))


def retry(rollout: Rollout) -> requests.Request:
    return requests.retry(rollout, Asking("t"))


@pytest.mark.parametrize(
    ("edit", "ask", "message"),
    [
        pytest.param(_promoted, promote, "no candidate to promote: revision p4rtz8vnd5 serves",
                     id="promote-without-a-candidate"),
        pytest.param(_promoted, abort, "no candidate to abort", id="abort-without-a-candidate"),
        pytest.param(_new, abort, r"no revision serves yet \(phase Pending\)",
                     id="abort-before-the-controller-came"),
        pytest.param(_starting, promote, "cannot be promoted now .it is starting",
                     id="promote-before-it-has-users"),
        pytest.param(_withdrawing, abort, "is being withdrawn already", id="abort-twice"),
        pytest.param(_paused, promote, "is paused", id="promote-while-paused"),
        pytest.param(_paused, requests.pause, "is paused already", id="pause-twice"),
        pytest.param(_as_is, requests.resume, "is not paused", id="resume-what-runs"),
        pytest.param(_promoted, retry, "phase is Promoted", id="retry-after-promotion"),
        pytest.param(_as_is, retry, "phase is Progressing", id="retry-in-mid-rollout"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_reason(
    rollout_object: dict[str, Any], edit: Edit, ask: Callable[[Rollout], requests.Request], message: str
) -> None:
    edit(rollout_object)
    with pytest.raises(Problem, match=message) as caught:
        ask(rollout_of(rollout_object))
    assert caught.value.hint
