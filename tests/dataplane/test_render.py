"""Whatever `render` accepts, Envoy accepts: random tables, read by a real Envoy, without an unknown field."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade_operator.core.envoy import Places, render
from crossfade_operator.core.routing import Backend, InvalidTable, RoutingTable, Slice
from tests.dataplane.rig import Router, envoy_binary, eventually
from tests.dataplane.tables import table

A = Backend("aaaa", "127.0.0.1", 9)
BACKENDS = st.sampled_from([A, Backend("bbbb", "127.0.0.2", 9, 19), Backend("cccc", "localhost", 9, 19)])
TOKENS = st.text("abcxyzABC019-_", min_size=1, max_size=12)


@st.composite
def slices(draw: st.DrawFn, backend: Backend, arm: str, edges: list[int]) -> Slice:
    ranges = tuple((first, last - 1) for first, last in zip(edges[::2], edges[1::2], strict=True))
    return Slice(arm, backend, ranges, mirror=arm == "candidate" and draw(st.booleans()))


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    """Mostly valid tables, with everything that can be in one."""
    stable = draw(st.none() | BACKENDS)
    edges = sorted(draw(st.sets(st.integers(0, 1000), min_size=0, max_size=24)))
    middle = len(edges) // 4 * 2
    found = []
    if stable and middle:
        found.append(draw(slices(draw(BACKENDS), "candidate", edges[:middle])))
        found.append(draw(slices(draw(BACKENDS), "holdout", edges[middle : len(edges) // 2 * 2])))
    unit: dict[str, Any] = draw(
        st.fixed_dictionaries({"unit_header": TOKENS}) | st.fixed_dictionaries({"unit_cookie": TOKENS})
    )
    bounds = sorted(draw(st.sets(st.integers(1, 999_999), min_size=1, max_size=12)))
    return RoutingTable(
        endpoint="recs/ranker",
        generation=draw(st.integers(2, 10**9)),
        decision=draw(st.text(max_size=40)),
        salt=draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)),
        stable=stable,
        slices=tuple(one for one in found if one.ranges),
        known=tuple(draw(st.lists(BACKENDS, max_size=3))),
        latency_bounds=tuple(f"{bound}ms" for bound in bounds),
        request_timeout=timedelta(milliseconds=draw(st.integers(2000, 86_400_000))),
        try_timeout=draw(st.none() | st.integers(1, 2000).map(lambda ms: timedelta(milliseconds=ms))),
        health_path=draw(st.none() | st.just("/v2/health/ready?x=%20")),
        reward_header=draw(st.none() | TOKENS),
        testers=draw(st.booleans()),
        **unit,
    )


@pytest.fixture(scope="module")
def living_router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    router = Router(tmp_path_factory.mktemp("router"), table(None))
    yield router
    router.stop()


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=tables())
def test_a_running_envoy_takes_every_table_that_render_accepts(living_router: Router, wanted: RoutingTable) -> None:
    """Announced first and then routed, as the controller does it."""
    try:
        render(wanted, living_router.places)
    except InvalidTable:
        return
    before = _refusals(living_router)
    announced = replace(wanted, stable=None, slices=(), known=tuple(wanted.backends), generation=0)
    living_router.write(announced)
    living_router.write(replace(wanted, generation=1))
    assert _refusals(living_router) == before
    unknown = living_router.envoy_stat("unknown_fields")
    assert unknown == {"server.dynamic_unknown_fields": 0, "server.static_unknown_fields": 0}


def _refusals(router: Router) -> int:
    def settled() -> dict[str, int]:
        attempts = router.envoy_stat(r"(cds|lds)\.update_(attempt|success|rejected|failure)")
        done = sum(count for name, count in attempts.items() if not name.endswith("attempt"))
        return attempts if done == sum(attempts.values()) - done else {}

    eventually("updates settled", settled)
    return sum(router.envoy_stat(r"ds\..*update_(rejected|failure)|ds\.update_(rejected|failure)").values())


def test_the_files_of_a_pod_are_valid_as_they_stand(tmp_path: Any) -> None:
    """With the pod's own ports, under the pod's own directory, if Envoy reads them from a copy."""
    places = Places(directory=str(tmp_path))
    files = render(table(A, known=(Backend("bbbb", "ranker-bbbb.recs.svc.cluster.local", 8080, 8081),)), places)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [envoy_binary(), "-c", str(tmp_path / "envoy.yaml"), "--mode", "validate", "--log-level", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "OK" in done.stdout) == (0, True), done.stdout + done.stderr
