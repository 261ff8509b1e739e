from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli import verbs
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.view import Rollout, rollout_of

CANDIDATE = "kx7wq2m9bc"
Edit = Callable[[dict[str, Any]], None]


def _annotations(request: verbs.Request) -> dict[str, str]:
    return dict(request.patch["metadata"]["annotations"])


def test_a_request_names_the_candidate_so_that_it_is_void_for_any_other(rollout_object: dict[str, Any]) -> None:
    rollout = rollout_of(rollout_object)
    assert _annotations(verbs.promote(rollout, "t1")) == {"crossfade.dev/promote": f"{CANDIDATE}:t1"}
    assert _annotations(verbs.promote(rollout, "t1", full=True)) == {"crossfade.dev/promote": f"{CANDIDATE}:full:t1"}
    assert _annotations(verbs.abort(rollout, "t2")) == {"crossfade.dev/abort": f"{CANDIDATE}:t2"}


def test_retry_names_the_revision_that_failed(rollout_object: dict[str, Any]) -> None:
    _rolled_back(rollout_object)
    assert _annotations(verbs.retry(rollout_of(rollout_object), "t3")) == {"crossfade.dev/retry": f"{CANDIDATE}:t3"}


def test_pause_and_resume_set_the_field(rollout_object: dict[str, Any]) -> None:
    assert verbs.pause(rollout_of(rollout_object)).patch == {"spec": {"paused": True}}
    rollout_object["spec"]["paused"] = True
    assert verbs.resume(rollout_of(rollout_object)).patch == {"spec": {"paused": False}}


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


@pytest.mark.parametrize(
    ("edit", "ask", "message"),
    [
        pytest.param(_promoted, lambda r: verbs.promote(r, "t"), "no candidate to promote: revision p4rtz8vnd5 serves",
                     id="promote-without-a-candidate"),
        pytest.param(_promoted, lambda r: verbs.abort(r, "t"), "no candidate to abort", id="abort-without-a-candidate"),
        pytest.param(_new, lambda r: verbs.abort(r, "t"), r"no revision serves yet \(phase Pending\)",
                     id="abort-before-the-controller-came"),
        pytest.param(_starting, lambda r: verbs.promote(r, "t"), "cannot be promoted now .it is starting",
                     id="promote-before-it-has-users"),
        pytest.param(_withdrawing, lambda r: verbs.abort(r, "t"), "is being withdrawn already", id="abort-twice"),
        pytest.param(_paused, lambda r: verbs.promote(r, "t"), "is paused", id="promote-while-paused"),
        pytest.param(_paused, verbs.pause, "is paused already", id="pause-twice"),
        pytest.param(_as_is, verbs.resume, "is not paused", id="resume-what-runs"),
        pytest.param(_promoted, lambda r: verbs.retry(r, "t"), "phase is Promoted", id="retry-after-promotion"),
        pytest.param(_as_is, lambda r: verbs.retry(r, "t"), "phase is Progressing", id="retry-in-mid-rollout"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_reason(
    rollout_object: dict[str, Any], edit: Edit, ask: Callable[[Rollout], verbs.Request], message: str
) -> None:
    edit(rollout_object)
    with pytest.raises(Problem, match=message) as caught:
        ask(rollout_of(rollout_object))
    assert caught.value.hint
