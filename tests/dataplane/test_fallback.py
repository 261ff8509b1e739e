"""When a candidate fails, stable answers its users, and the counters say so."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from crossfade_operator.core.assignment import assign
from tests.dataplane.conftest import NewModel, NewRouter
from tests.dataplane.load import Connection, Load, request
from tests.dataplane.rig import Model, eventually, get
from tests.dataplane.tables import SALT, candidate, table


def test_killing_the_candidate_under_load_fails_no_request(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    doomed = new_model("doomed")
    router = new_router(table(stable_model.backend, slices=(candidate(doomed.backend, 500),)))
    with Load(router.port) as load:
        for _ in range(3):
            load.wait_for(300)
            doomed.kill()
            load.wait_for(400)
            doomed.start()
    assert (load.failed, load.broken) == (0, [])
    covered = router.total("requests", arm="candidate", served=stable_model.revision)
    by_clients = sum(
        count
        for (_, revision, seen), count in load.seen.items()
        if seen.startswith("candidate/") and revision == stable_model.revision
    )
    assert covered == by_clients > 300
    assert router.total("errors") == 0
    assert router.total("requests", arm="stable", served="doomed") == 0, "a stable user was sent to the candidate"


@pytest.mark.parametrize("status", [500, 503])
def test_a_candidate_that_answers_with_errors_is_covered_for(
    new_router: NewRouter, new_model: NewModel, stable_model: Model, status: int
) -> None:
    failing = new_model("failing", status=status)
    router = new_router(table(stable_model.backend, slices=(candidate(failing.backend, 950),)))
    with Load(router.port, clients=2) as load:
        load.wait_for(300)
    assert load.failed == 0
    assert router.total("requests", arm="candidate", served=stable_model.revision) == load.arms()["candidate"]
    assert failing.requests() >= 5, "it was never asked, so nothing was shown"


def test_a_posted_request_is_sent_again_with_its_body(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    failing = new_model("failing", status=500)
    router = new_router(table(stable_model.backend, slices=(candidate(failing.backend, 950),)))
    answers = [get(router.port, headers={"x-user-id": f"u{n}"}, method="POST") for n in range(40)]
    assert {answer.headers["x-revision"] for answer in answers} == {stable_model.revision}


@pytest.mark.parametrize(("size", "covered"), [(900_000, True), (3_000_000, False)], ids=["fits", "too-big"])
def test_a_body_is_sent_again_only_if_the_router_could_keep_it(
    new_router: NewRouter, new_model: NewModel, stable_model: Model, size: int, covered: bool
) -> None:
    # It fails after a while: what fails before the body has come can always be tried again.
    failing = new_model("failing", status=500, delay=0.5)
    router = new_router(table(stable_model.backend, slices=(candidate(failing.backend, 950),)))
    unit = next(f"u{n}" for n in range(100) if assign(SALT, f"u{n}").position < 950)
    with contextlib.closing(Connection(router.port)) as connection:
        connection.send(request(unit, f"content-length: {size}\r\n").replace(b"GET", b"POST", 1))
        with contextlib.suppress(ConnectionError):  # A refusal may come before the body is through.
            connection.send(b"x" * size)
        status = connection.receive().status
    assert (status == 200) is covered, status
    eventually("the error is counted", lambda: router.total("errors", arm="candidate") == (0 if covered else 1))


def test_a_hanging_candidate_is_covered_for_when_each_try_is_limited(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    hanging = new_model("hanging", delay=3600.0)
    limit = timedelta(milliseconds=200)
    slices = (candidate(hanging.backend, 950),)
    router = new_router(table(stable_model.backend, slices=slices, try_timeout=limit))
    answers = [get(router.port, headers={"x-user-id": f"u{n}"}) for n in range(10)]
    assert {(answer.status, answer.headers["x-revision"]) for answer in answers} == {(200, stable_model.revision)}


def test_without_a_limit_a_hanging_candidate_is_an_error_when_time_is_up(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    hanging = new_model("hanging", delay=3600.0)
    slices = (candidate(hanging.backend, 950),)
    router = new_router(table(stable_model.backend, slices=slices, request_timeout=timedelta(milliseconds=300)))
    answers = [get(router.port, headers={"x-user-id": f"u{n}"}) for n in range(10)]
    late = [answer for answer in answers if answer.status == 504]
    assert late
    eventually("errors counted", lambda: router.total("errors", arm="candidate") == len(late))


def test_stables_own_errors_stay_its_own(new_router: NewRouter, new_model: NewModel, candidate_model: Model) -> None:
    failing = new_model("failing", status=500)
    router = new_router(table(failing.backend, slices=(candidate(candidate_model.backend, 500),)))
    with Load(router.port, clients=2) as load:
        load.wait_for(400)
    stable = sum(count for (_, _, seen), count in load.seen.items() if seen.startswith("stable/"))
    assert load.failed == stable == router.total("errors", arm="stable", served="failing") > 0
    assert router.total("errors", arm="candidate") == 0
    assert router.total("requests", arm="stable", served=candidate_model.revision) == 0


def test_a_revision_comes_back_by_itself(new_router: NewRouter, new_model: NewModel, stable_model: Model) -> None:
    doomed = new_model("doomed")
    router = new_router(table(stable_model.backend, slices=(candidate(doomed.backend, 950),)))
    doomed.kill()
    with Load(router.port, clients=2, pause=0.01) as load:
        load.wait_for(100)
        doomed.start()
        before = doomed.requests()
        eventually("the candidate answers again", lambda: doomed.requests() > before + 20)
    assert load.failed == 0


def test_an_endpoint_whose_every_pod_is_gone_says_so_by_arm(new_router: NewRouter, new_model: NewModel) -> None:
    stable, other = new_model("gone1"), new_model("gone2")
    router = new_router(table(stable.backend, slices=(candidate(other.backend, 500),)))
    stable.kill()
    other.kill()
    answers = [get(router.port, headers={"x-user-id": f"u{n}"}) for n in range(60)]
    assert {answer.status for answer in answers} == {503}
    counted = {arm: router.total("errors", arm=arm) for arm in ("stable", "candidate")}
    assert sum(counted.values()) == 60, f"errors without an arm are nobody's: {counted}"
    assert min(counted.values()) > 10
