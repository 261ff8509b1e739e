"""Tables change under load without a failed request, and a bad one never replaces a good one."""

from __future__ import annotations

import json
import re

from crossfade_operator.core.assignment import assign
from crossfade_operator.core.routing import Backend
from tests.dataplane.conftest import NewModel, NewRouter
from tests.dataplane.load import Load, ask_all, told
from tests.dataplane.rig import Model, Router, eventually, get
from tests.dataplane.tables import SALT, candidate, table

STEPS = (1, 50, 100, 500, 950, 0, 200)


def test_sixty_tables_under_load_fail_no_request(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    stable, other = stable_model.backend, candidate_model.backend
    router = new_router(table(stable, known=(other,)))
    with Load(router.port) as load:
        for generation in range(2, 62):
            positions = STEPS[generation % len(STEPS)]
            if generation % 10 == 9:  # Promoted and back again: the two change roles.
                changed = table(other, generation, slices=(candidate(stable, 300),))
            elif positions:
                changed = table(stable, generation, slices=(candidate(other, positions),))
            else:
                changed = table(stable, generation, known=(other,))
            router.write(changed)
            load.wait_for(5)
    assert (load.failed, load.broken) == (0, [])
    assert not any(router.envoy_stat("update_rejected").values())


def test_revisions_come_and_go_under_load(new_router: NewRouter, new_model: NewModel, stable_model: Model) -> None:
    """Announced, routed, made stable, retired: the whole life of a revision, in the order the controller keeps."""
    router, stable, generation = new_router(table(stable_model.backend)), stable_model.backend, 1
    with Load(router.port) as load:
        for number in range(4):
            fresh = new_model(f"fresh{number}").backend
            life = (
                {"stable": stable, "known": (fresh,)},
                {"stable": stable, "slices": (candidate(fresh, 100),)},
                {"stable": fresh, "known": (stable,)},
                {"stable": fresh},
            )
            for stage in life:
                generation += 1
                router.write(table(generation=generation, **stage))
                _wait_until_pods_are_found(router)
                load.wait_for(20)
            stable = fresh
    assert (load.failed, load.broken) == (0, [])


def _wait_until_pods_are_found(router: Router) -> None:
    def found() -> bool:
        healthy = router.envoy_stat(r"^cluster\.[a-z0-9]*(-slice)?\.membership_healthy")
        return all(count > 0 for count in healthy.values())

    eventually("healthy pods in every cluster", found)


def test_changed_listeners_and_limits_fail_no_request(new_router: NewRouter, stable_model: Model) -> None:
    router = new_router(table(stable_model.backend))
    changes: tuple[dict[str, object], ...] = (
        {"latency_bounds": ("1ms", "7ms")},
        {"latency_bounds": ("1ms", "7ms", "9s"), "reward_header": "x-reward"},
        {"testers": True},
        {"testers": False, "health_path": "/ready"},
        {"unit_header": "x-user-id", "health_path": None},
    )
    with Load(router.port) as load:
        for generation, change in enumerate(changes * 2, start=2):
            router.write(table(stable_model.backend, generation, **change))
            load.wait_for(100)
    assert (load.failed, load.broken) == (0, [])


def test_a_table_that_envoy_rejects_leaves_the_last_good_one(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    good = table(stable_model.backend, 5, slices=(candidate(candidate_model.backend, 500),))
    router = new_router(good)
    before = [told(answer) for answer in ask_all(router.port, [f"u{n}" for n in range(200)])]
    files = {name: (router.mount / name).read_text() for name in ("envoy.yaml", "lds.json", "cds.json", "rds.json")}
    routes = json.loads(files["rds.json"])
    entries = routes["resources"][0]["virtual_hosts"][0]["routes"][-1]["route"]["weighted_clusters"]["clusters"]
    entries[0]["name"] = "nowhere"
    bad = {
        "a cluster that is not there": json.dumps(routes),
        "weights of zero": files["rds.json"].replace('"weight":500', '"weight":0'),
        "half a file": files["rds.json"][: len(files["rds.json"]) // 2],
    }
    for count, (what, text) in enumerate(bad.items(), start=1):
        router.write_files({**files, "rds.json": text})

        def refused(count: int = count) -> bool:
            stats = router.envoy_stat(r"rds\.crossfade\.update_(rejected|failure)")
            return sum(stats.values()) == count

        eventually(f"{what} refused", refused)
        assert router.generation()["generation"] == 5
        assert [told(answer) for answer in ask_all(router.port, [f"u{n}" for n in range(200)])] == before
    assert re.search(r"^envoy_http_rds_update_rejected{.*} 2$", router.metrics(), re.MULTILINE), "told to nobody"
    router.write(table(stable_model.backend, 6, known=(candidate_model.backend,)))


def test_a_revision_that_was_not_announced_harms_nobody(
    new_router: NewRouter, stable_model: Model, candidate_model: Model
) -> None:
    """Envoy mostly reads routes before clusters, and refuses routes to a cluster that it does not know yet: users then
    stay where they are until the table changes again, now that the clusters are known."""
    router = new_router(table(stable_model.backend))
    slices = (candidate(candidate_model.backend, 500),)
    with Load(router.port) as load:
        router.write(table(stable_model.backend, 2, slices=slices), wait=False)
        eventually("an answer to the table", lambda: _answered(router, 2))
        load.wait_for(50)
        router.write(table(stable_model.backend, 3, slices=slices))
        load.wait_for(50)
    assert (load.failed, load.broken) == (0, [])
    assert load.arms()["candidate"] > 0


def test_a_candidate_that_cluster_dns_does_not_know_is_covered_for(new_router: NewRouter, stable_model: Model) -> None:
    unknown = Backend("unknown", "ranker-unknown.recs.svc.invalid", 8080)
    router = new_router(table(stable_model.backend, slices=(candidate(unknown, 950),)))
    with Load(router.port) as load:
        load.wait_for(100)
    assert (load.failed, load.broken) == (0, [])
    assert router.total("requests", arm="candidate", served=stable_model.revision) == load.arms()["candidate"] > 50


def _answered(router: Router, generation: int) -> bool:
    refused = sum(router.envoy_stat(r"rds\.crossfade\.update_rejected").values())
    return router.generation()["generation"] == generation or refused > 0


def test_a_first_revision_is_announced_and_then_served(new_router: NewRouter, stable_model: Model) -> None:
    router = new_router(table(None))
    assert get(router.port).status == 503
    router.write(table(None, 2, known=(stable_model.backend,)))
    router.write(table(stable_model.backend, 3))
    assert get(router.port).headers["x-revision"] == stable_model.revision


def test_a_mirrored_slice_is_answered_by_stable_and_copied(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    shadow = new_model("shadow")
    slices = (candidate(shadow.backend, 500, mirror=True),)
    router = new_router(table(stable_model.backend, slices=slices))
    before, units = shadow.requests(), [f"u{n}" for n in range(400)]
    answers = ask_all(router.port, units)
    assert {answer.headers["x-revision"] for answer in answers} == {stable_model.revision}
    assert {told(answer)[0] for answer in answers} == {"stable"}
    copies = sum(assign(SALT, unit).position < 500 for unit in units)
    eventually("copies", lambda: shadow.requests() - before == copies)
    assert router.total("requests") == router.total("requests", arm="stable") == len(units)


def test_a_broken_shadow_harms_nobody(new_router: NewRouter, new_model: NewModel, stable_model: Model) -> None:
    shadow = new_model("shadow", delay=3600.0)
    slices = (candidate(shadow.backend, 950, mirror=True),)
    router = new_router(table(stable_model.backend, slices=slices))
    with Load(router.port) as load:
        load.wait_for(300)
        shadow.kill()
        load.wait_for(300)
    assert (load.failed, load.broken) == (0, [])
