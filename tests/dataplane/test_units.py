"""Who a request belongs to, and what outsiders cannot say."""

from __future__ import annotations

import contextlib

import pytest

from crossfade_operator.core.assignment import assign
from crossfade_operator.core.routing import Slice
from tests.dataplane.conftest import NewRouter
from tests.dataplane.load import Connection, request, told
from tests.dataplane.rig import Model, eventually, get
from tests.dataplane.tables import SALT, candidate, table

FORGED = {
    "x-arm": "candidate",
    "x-abucket": "7",
    "x-crossfade-arm": "candidate",
    "x-crossfade-listener": "ops",
    "x-crossfade-unit": "somebody",
    "x-envoy-max-retries": "9",
    "x-envoy-upstream-rq-timeout-ms": "1",
}


@pytest.mark.parametrize("headers", [{}, {"x-user-id": ""}, {"x-user-id": "   "}], ids=["none", "empty", "blanks"])
def test_a_request_without_unit_goes_to_stable_and_is_nobodys(
    new_router: NewRouter, stable_model: Model, candidate_model: Model, headers: dict[str, str]
) -> None:
    router = new_router(table(stable_model.backend, slices=(candidate(candidate_model.backend, 950),)))
    answers = [get(router.port, headers=headers) for _ in range(20)]
    assert {(answer.headers["x-revision"], answer.headers["x-seen"]) for answer in answers} == {
        (stable_model.revision, "unassigned/none")
    }
    assert router.total("requests", arm="unassigned", abucket="none", served=stable_model.revision) == 20


def test_what_outsiders_say_about_arms_is_dropped(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    unit = next(f"u{n}" for n in range(1000) if assign(SALT, f"u{n}").position >= 100)
    router = new_router(table(stable_model.backend, slices=(candidate(candidate_model.backend, 100),), testers=True))
    answer = get(router.port, "/generation", {"x-user-id": unit, **FORGED})
    assert answer.headers["x-revision"] == stable_model.revision
    assert answer.headers["x-seen"] == f"stable/{assign(SALT, unit).bucket}"
    assert answer.headers["x-got"] == f",,,{unit}", "internal headers of a client reached the model server"


def test_a_unit_sent_twice_is_one_unit(new_router: NewRouter, stable_model: Model) -> None:
    """As HTTP has it, lines of the same name are one value, joined by a comma."""
    router = new_router(table(stable_model.backend))
    with contextlib.closing(Connection(router.port)) as connection:
        connection.send(request("one", extra="x-user-id: two\r\n"))
        answer = connection.receive()
    assert told(answer) == ("stable", str(assign(SALT, "one,two").bucket))


def test_labels_cannot_be_forged_where_nothing_is_routed(new_router: NewRouter) -> None:
    router = new_router(table(None))
    answer = get(router.port, headers={"x-user-id": "u", **FORGED})
    assert (answer.status, answer.body) == (503, "No revision of this model is ready yet.\n")
    eventually("the request is over", lambda: router.envoy_stat("^http.users.downstream_rq_completed$").popitem()[1])
    assert router.counters("requests") == {}, "it is counted for the arm that the client named"


def test_testers_force_an_arm_and_only_on_their_port(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    router = new_router(table(stable_model.backend, slices=(candidate(candidate_model.backend, 1),), testers=True))
    for arm, model in (("candidate", candidate_model), ("stable", stable_model)):
        for unit in ("a", "b", "c"):
            answer = get(router.places.testers, headers={"x-crossfade-arm": arm, "x-user-id": unit})
            assert (answer.headers["x-revision"], answer.headers["x-seen"]) == (model.revision, f"{arm}/forced")
    absent = get(router.places.testers, headers={"x-crossfade-arm": "holdout"})
    assert (absent.status, "does not have now" in absent.body) == (404, True)
    assert router.total("requests", abucket="forced") == 6
    users = get(router.places.testers, headers={"x-user-id": "a"})
    assert users.headers["x-seen"] == f"stable/{assign(SALT, 'a').bucket}", "without the header, testers are users"


def test_a_holdout_can_be_forced_too(new_router: NewRouter, stable_model: Model, candidate_model: Model) -> None:
    slices = (Slice("holdout", candidate_model.backend, ((0, 9),)),)
    router = new_router(table(stable_model.backend, slices=slices, testers=True))
    answer = get(router.places.testers, headers={"x-crossfade-arm": "holdout"})
    assert (answer.headers["x-revision"], answer.headers["x-seen"]) == (candidate_model.revision, "holdout/forced")


def test_nobody_listens_for_testers_by_default(new_router: NewRouter, stable_model: Model) -> None:
    router = new_router(table(stable_model.backend))
    with pytest.raises(ConnectionRefusedError):
        get(router.places.testers)


def test_an_anonymous_user_keeps_the_bucket_of_the_first_request(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    slices = (candidate(candidate_model.backend, 500),)
    router = new_router(table(stable_model.backend, slices=slices, unit_cookie="uid"))
    arms = set()
    for _ in range(20):
        first = get(router.port)
        cookie = first.headers["set-cookie"]
        name, _, unit = cookie.partition(";")[0].partition("=")
        assert name == "uid"
        assert cookie.endswith("; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
        again = [get(router.port, headers={"cookie": f"theme=dark; uid={unit}; z=1"}) for _ in range(3)]
        expected = assign(SALT, unit)
        arm = "candidate" if expected.position < 500 else "stable"
        assert {answer.headers["x-seen"] for answer in (first, *again)} == {f"{arm}/{expected.bucket}"}
        assert all("set-cookie" not in answer.headers for answer in again), "a known user is given no second cookie"
        arms.add(arm)
    assert arms == {"candidate", "stable"}


def test_a_cookie_of_a_similar_name_is_no_unit(new_router: NewRouter, stable_model: Model) -> None:
    router = new_router(table(stable_model.backend, unit_cookie="u.id"))
    answer = get(router.port, headers={"cookie": "my-u.id=a; uxid=b"})
    assert answer.headers["set-cookie"].startswith("u.id=")


def test_the_ops_port_says_three_things_and_the_users_port_none(new_router: NewRouter, stable_model: Model) -> None:
    router = new_router(table(stable_model.backend, 7))
    ops = router.places.ops
    known = router.generation()
    assert (known["endpoint"], known["generation"], known["decision"]) == ("recs/ranker", 7, "ranker-7")
    assert get(ops, "/generation").headers["content-type"] == "application/json"
    assert (get(ops, "/ready").status, "envoy_cluster_membership_healthy" in get(ops, "/metrics").body) == (200, True)
    for path in ("/stats", "/config_dump", "/quitquitquit", "/", "/readyz"):
        assert get(ops, path).status == 404
        assert get(ops, path, method="POST").status == 404
    for path in ("/generation", "/metrics"):
        answer = get(router.port, path, {"host": "ops", "x-crossfade-listener": "ops"})
        assert answer.headers["x-revision"] == stable_model.revision, "a model's own path was taken from it"
