"""When one of several pods of stable dies, the others answer its users, and nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from crossfade_operator.core.routing import Backend
from tests.dataplane.conftest import NewModel, NewRouter
from tests.dataplane.load import Load
from tests.dataplane.rig import Model, Resolver, Router, eventually, free_ports, get, stopping
from tests.dataplane.tables import candidate, table

NAME = "pods.example"
ADDRESSES = ("127.0.0.2", "127.0.0.3")


@dataclass
class Pods:
    """Two pods of one revision under one name and port."""

    first: Model
    second: Model
    resolver: Resolver

    @property
    def backend(self) -> Backend:
        return replace(self.first.backend, host=NAME)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    port, *admins = free_ports(3)
    first, second = (
        Model("stablev1", tmp_path / address, delay=0.005, port=port, admin=admin, address=address)
        for address, admin in zip(ADDRESSES, admins, strict=True)
    )
    resolver = Resolver(*ADDRESSES)
    with stopping(first, second, resolver):
        yield Pods(first.start(), second.start(), resolver)


def wait_healthy(router: Router, count: int) -> None:
    stat = "cluster.stablev1.membership_healthy"
    eventually(f"{count} healthy pods", lambda: router.envoy_stat(stat).get(stat) == count)


@pytest.mark.parametrize("mirrored", [False, True], ids=["alone", "with-copies"])
def test_killing_a_pod_of_stable_under_load_fails_no_request(
    new_router: NewRouter, pods: Pods, candidate_model: Model, mirrored: bool
) -> None:
    slices = (candidate(candidate_model.backend, 950, mirror=True),) if mirrored else ()
    router = new_router(table(pods.backend, slices=slices), resolver=pods.resolver)
    wait_healthy(router, 2)
    with Load(router.port, clients=12) as load:
        load.wait_for(200)
        for pod in (pods.first, pods.second, pods.first):
            pod.kill()
            load.wait_for(400)
            pod.start()
            # At once afterwards the next one dies: what is known of one pod must not delay what is learnt of another.
            wait_healthy(router, 2)
    assert (load.failed, load.broken) == (0, [])
    assert sum(router.envoy_stat("cluster.*upstream_rq_retry$").values()) > 0, (
        "nothing was tried again, so nothing was shown"
    )


def test_a_dead_pod_is_left_alone_at_once(new_router: NewRouter, pods: Pods) -> None:
    router = new_router(table(pods.backend), resolver=pods.resolver)
    with Load(router.port, clients=12) as load:
        wait_healthy(router, 2)
        for _ in range(2):
            pods.second.kill()
            wait_healthy(router, 1)
            load.wait_for(100)
            failures = "cluster.stablev1.upstream_cx_connect_fail"
            before = router.envoy_stat(failures)[failures]
            load.wait_for(400)
            # The health check connects too, every two seconds.
            assert router.envoy_stat(failures)[failures] - before <= 2
            pods.second.start()
            wait_healthy(router, 2)


def test_a_pod_that_hangs_is_covered_for_when_each_try_is_limited(new_router: NewRouter, pods: Pods) -> None:
    pods.second.stop()
    pods.second.delay = 3600.0
    pods.second.start()
    limit = timedelta(milliseconds=300)
    router = new_router(table(pods.backend, try_timeout=limit), resolver=pods.resolver)
    wait_healthy(router, 2)
    answers = [get(router.port, headers={"x-user-id": f"u{n}"}) for n in range(20)]
    assert {answer.status for answer in answers} == {200}
    timeouts = router.envoy_stat("cluster.*upstream_rq_per_try_timeout$")
    assert sum(timeouts.values()) > 0, "the hanging pod was never asked, so nothing was shown"


def test_a_pods_own_error_is_an_answer(new_router: NewRouter, new_model: NewModel) -> None:
    failing = new_model("failing", status=503)
    router = new_router(table(failing.backend))
    answers = [get(router.port, headers={"x-user-id": f"u{n}"}) for n in range(10)]
    assert {answer.status for answer in answers} == {503}
    assert failing.requests() == 10, "it was asked again"
