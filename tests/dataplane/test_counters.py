"""The counters say what the clients saw, to the request."""

from __future__ import annotations

import socket
import time
from collections import Counter

import pytest

from crossfade_operator.core.assignment import assign
from tests.dataplane.conftest import NewModel, NewRouter
from tests.dataplane.load import LOOPBACK, ask_all, request, told
from tests.dataplane.rig import Model, Router, eventually, get
from tests.dataplane.tables import SALT, candidate, table


def _by_arm_and_bucket(router: Router, name: str) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for labels, value in router.counters(name).items():
        named = dict(labels)
        assert named["model_endpoint"] == "recs/ranker"
        found[named["arm"], named["abucket"], named["served"]] += value
    return found


def test_requests_are_counted_by_arm_bucket_and_who_served(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    router = new_router(table(stable_model.backend, slices=(candidate(candidate_model.backend, 300),)), concurrency=2)
    own = Counter(
        (*told(answer), answer.headers["x-revision"])
        for answer in ask_all(router.port, [f"u{n}" for n in range(8_000)])
    )
    assert len(own) == 200
    eventually("all counted", lambda: _by_arm_and_bucket(router, "requests") == own)
    assert router.counters("errors") == {}


@pytest.mark.parametrize(("delay", "slow"), [(0.0, ["50s"]), (0.06, ["20ms", "50ms"])], ids=["fast", "slow"])
def test_requests_slower_than_a_bound_are_counted_under_it(
    new_router: NewRouter, new_model: NewModel, delay: float, slow: list[str]
) -> None:
    """The far bounds (a minute away) can never be met, the near ones always are."""
    model = new_model("model", delay=delay)
    bounds = ("20ms", "50ms", "60s", "120s") if delay else ("60s", "120s")
    router = new_router(table(model.backend, latency_bounds=bounds))
    for number in range(12):
        assert get(router.port, headers={"x-user-id": f"u{number}"}).status == 200
    eventually("requests counted", lambda: router.total("requests", arm="stable") == 12)
    counted = {bound: router.total("slower", bound=bound) for bound in bounds}
    assert counted == {bound: 12 if bound in slow else 0 for bound in bounds}
    assert router.total("latency_us") >= 12 * delay * 1_000_000


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_only_what_the_server_did_wrong_is_an_error(new_router: NewRouter, new_model: NewModel, status: int) -> None:
    router = new_router(table(new_model("model", status=status).backend))
    for number in range(10):
        assert get(router.port, headers={"x-user-id": f"u{number}"}).status == status
    eventually("requests counted", lambda: router.total("requests") == 10)
    assert router.total("errors", arm="stable", served="model") == (10 if status >= 500 else 0)


def test_a_client_that_goes_away_is_a_request_but_no_error(new_router: NewRouter, new_model: NewModel) -> None:
    router = new_router(table(new_model("slow", delay=30.0).backend, latency_bounds=("1ms",)))
    for number in range(5):
        with socket.create_connection((LOOPBACK, router.port)) as client:
            client.sendall(request(f"u{number}"))
            eventually("request arrived", lambda: _active(router) == 1)
            waited = time.monotonic() + 0.005
            eventually("the bound passed", lambda waited=waited: time.monotonic() > waited)  # type: ignore[misc]
    eventually("requests counted", lambda: router.total("requests", arm="stable") == 5)
    assert router.total("errors") == 0
    assert router.total("slower", bound="1ms") == 5, "what the client waited for is part of the latency"


def _active(router: Router) -> int:
    return router.envoy_stat(r"http\.users\.downstream_rq_active").popitem()[1]


@pytest.mark.parametrize(
    ("reward", "count", "total", "squares"),
    [("7", 10, 70, 490), ("0", 10, 0, 0), ("-1", 0, 0, 0), ("2.9", 0, 0, 0), ("much", 0, 0, 0), ("9" * 30, 0, 0, 0)],
)
def test_rewards_are_summed_and_squared_and_nonsense_is_not(
    new_router: NewRouter, new_model: NewModel, reward: str, count: int, total: int, squares: int
) -> None:
    model = new_model("model", answer={"x-reward": reward})
    router = new_router(table(model.backend, reward_header="X-Reward"))
    for number in range(10):
        get(router.port, headers={"x-user-id": f"u{number}"})
    eventually("requests counted", lambda: router.total("requests") == 10)
    found = [router.total(name, arm="stable") for name in ("reward_count", "reward", "reward_sq")]
    assert found == [count, total, squares]


def test_counters_survive_table_and_listener_changes(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    stable, other = stable_model.backend, candidate_model.backend
    router = new_router(table(stable, slices=(candidate(other, 500),)))
    units = [f"u{n}" for n in range(500)]
    mine = sum(assign(SALT, unit).position < 500 for unit in units)
    for round_, bounds in enumerate((("5ms",), ("5ms", "9s"), ("7ms",)), start=1):
        router.write(table(stable, round_ + 1, slices=(candidate(other, 500),), latency_bounds=bounds))
        ask_all(router.port, units)
        eventually(
            "counters go on",
            lambda round_=round_: router.total("requests", arm="candidate") == round_ * mine,  # type: ignore[misc]
        )


def test_what_has_no_arm_makes_no_series(new_router: NewRouter, stable_model: Model) -> None:
    """A series without the label `arm` would look like one whose label was lost, and stop every analysis."""
    router = new_router(table(None, known=(stable_model.backend,)))
    assert get(router.port, headers={"x-user-id": "u1"}).status == 503
    router.write(table(stable_model.backend, generation=2, testers=True))
    forced = {"x-user-id": "u1", "x-crossfade-arm": "candidate"}
    eventually("testers told", lambda: get(router.places.testers, headers=forced).status == 404)
    with socket.create_connection((LOOPBACK, router.port)) as garbage:
        garbage.sendall(b"GET / SPAM\r\n\r\n")
        assert b" 400 " in garbage.recv(1000)
    assert get(router.port, headers={"x-user-id": "u1"}).status == 200
    eventually("the request of an arm counted", lambda: router.total("requests", arm="stable") == 1)
    counted = [*router.counters("requests"), *router.counters("errors"), *router.counters("latency_us")]
    assert {dict(labels).get("arm") for labels in counted} == {"stable"}
