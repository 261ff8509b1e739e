"""What the files say. That a real Envoy takes them, and does it, is tested in the dataplane suite."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade_operator.core import routing
from crossfade_operator.core.envoy import content_digest, render, room_for_runs
from crossfade_operator.core.envoy.render import _size
from crossfade_operator.core.rollout.machine import MOST_RETIRING
from crossfade_operator.core.routing import Backend, InvalidTable, RoutingTable, Slice

A = Backend("aaaa", "ranker-aaaa.recs.svc.cluster.local", 8080)
B = Backend("bbbb", "ranker-bbbb.recs.svc.cluster.local", 8080, 8081)
C = Backend("cccc", "ranker-cccc.recs.svc.cluster.local", 8080)
TABLE = RoutingTable(
    endpoint="recs/ranker",
    generation=4,
    decision="ranker-4",
    salt="ranker-2026q4",
    stable=A,
    slices=(Slice("candidate", B, ((0, 99),)),),
    unit_header="x-user-id",
)

Files = dict[str, str]


def resources(files: Files, name: str) -> list[Any]:
    return list(json.loads(files[name])["resources"])


def user_routes(files: Files) -> list[Any]:
    return list(resources(files, "rds.json")[0]["virtual_hosts"][0]["routes"])


def entries(route: Any) -> list[Any]:
    return list(route["route"]["weighted_clusters"]["clusters"])


def changed_files(before: RoutingTable, after: RoutingTable) -> set[str]:
    old, new = render(before), render(after)
    return {name for name in old if old[name] != new[name]}


def test_the_same_table_gives_the_same_bytes() -> None:
    assert render(TABLE) == render(replace(TABLE))
    assert set(render(TABLE)) == {"envoy.yaml", "lds.json", "cds.json", "rds.json"}


@pytest.mark.parametrize(
    "after",
    [
        replace(TABLE, generation=5, slices=(Slice("candidate", B, ((0, 499),)),)),
        replace(TABLE, generation=5, slices=(), known=(B,)),
        replace(TABLE, generation=5, stable=B, slices=(), known=(A,)),
        replace(TABLE, generation=5, slices=(Slice("candidate", B, ((0, 99),), mirror=True),)),
    ],
    ids=["step", "rollback", "promotion", "mirror"],
)
def test_moving_users_changes_routes_only(after: RoutingTable) -> None:
    assert changed_files(TABLE, after) == {"rds.json"}


def test_only_what_it_concerns_changes() -> None:
    assert changed_files(TABLE, replace(TABLE, latency_bounds=("1ms",))) == {"lds.json", "rds.json"}
    assert changed_files(TABLE, replace(TABLE, known=(C,))) == {"cds.json", "rds.json"}
    assert changed_files(TABLE, replace(TABLE, endpoint="recs/other")) == {"envoy.yaml", "lds.json", "rds.json"}


cuts = st.lists(st.integers(0, 999), min_size=2, max_size=20, unique=True).map(sorted)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(cuts)
def test_every_buckets_weights_sum_to_a_thousand_and_follow_the_positions(edges: list[int]) -> None:
    pairs = zip(edges[::2], edges[1::2], strict=False)
    ranges = tuple((first, last - 1) for first, last in pairs)
    one = Slice("candidate", B, ranges)
    if one.positions > routing.MOST_POSITIONS:
        return
    table = replace(TABLE, slices=(one,))
    routed = entries(user_routes(render(table))[-1])
    in_slice = {position for first, last in ranges for position in range(first, last + 1)}
    draw = 0
    for entry in routed:
        arm, bucket = (header["header"]["value"] for header in entry["request_headers_to_add"])
        first, last = divmod(draw, 1000), divmod(draw + entry["weight"] - 1, 1000)
        assert first[0] == last[0] == int(bucket)
        held = [position in in_slice for position in range(first[1], last[1] + 1)]
        assert all(held) if arm == "candidate" else not any(held)
        draw += entry["weight"]
    assert draw == 100_000


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        replace(TABLE, testers=True),
        replace(TABLE, slices=(Slice("candidate", B, ((0, 9),), True), Slice("holdout", C, ((20, 29),)))),
        replace(TABLE, stable=B, slices=(Slice("candidate", A, ((0, 9),)),), known=(C,)),
    ],
)
def test_no_route_and_no_cluster_names_a_cluster_that_is_not_there(table: RoutingTable) -> None:
    files = render(table)
    clusters = {cluster["name"]: cluster for cluster in resources(files, "cds.json")}
    actions = [route["route"] for route in user_routes(files) if "route" in route]
    composites = [cluster["cluster_type"]["typed_config"].get("clusters", []) for cluster in clusters.values()]
    named = {action["cluster"] for action in actions if "cluster" in action}
    named |= {entry["name"] for action in actions for entry in action.get("weighted_clusters", {}).get("clusters", [])}
    named |= {member["name"] for members in composites for member in members}
    assert named <= set(clusters)


def test_names_of_clusters_survive_envoys_statistics() -> None:
    """Envoy cuts the label envoy_cluster_name at the first dot."""
    assert not [cluster for cluster in resources(render(TABLE), "cds.json") if "." in cluster["name"]]


def test_a_salt_is_taken_literally() -> None:
    route = user_routes(render(replace(TABLE, salt=r"a\1")))[-1]
    (policy,) = route["route"]["hash_policy"]
    assert policy["header"]["regex_rewrite"]["substitution"] == r"a\\1"


def test_the_admin_interface_is_on_loopback_only() -> None:
    bootstrap = yaml.safe_load(render(TABLE)["envoy.yaml"])
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_series_are_never_evicted() -> None:
    files = render(replace(TABLE, reward_header="x-reward"))
    assert "evict" not in files["lds.json"] + files["envoy.yaml"]


def test_a_table_that_no_config_map_holds_is_refused() -> None:
    ranges = tuple((first, first) for first in range(0, 1000, 8))
    with pytest.raises(InvalidTable, match=r"the table of 125 ranges takes \d+ bytes, and a ConfigMap holds 1000000"):
        render(replace(TABLE, slices=(Slice("candidate", B, ranges),)))


def test_as_many_revisions_as_a_rollout_keeps_fit_into_a_table() -> None:
    """Stable, a candidate and a holdout, each of its own, and all that wait for their end, with long names."""
    kept = [
        Backend(f"revision{number:02}", f"{'r' * 50}-revision{number:02}.{'n' * 50}.svc.cluster.local", 8080, 8081)
        for number in range(3 + MOST_RETIRING)
    ]
    slices = (Slice("candidate", kept[1], ((0, 99),)), Slice("holdout", kept[2], ((980, 999),)))
    render(replace(TABLE, stable=kept[0], slices=slices, known=tuple(kept[3:])))


def test_a_table_that_was_rendered_before_is_not_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 endpoints take turns: rendering a table costs more than all the rest of a turn that changes nothing."""
    tables = [replace(TABLE, endpoint=f"recs/ranker-{number}") for number in range(100)]
    first = [(render(table), content_digest(table)) for table in tables]
    module = importlib.import_module("crossfade_operator.core.envoy.render")
    monkeypatch.setattr(module, "check", lambda _: pytest.fail("rendered again"))
    assert [(render(table), content_digest(table)) for table in tables] == first


def test_an_impossible_table_is_refused_before_it_is_rendered() -> None:
    with pytest.raises(InvalidTable, match="the salt must be"):
        render(replace(TABLE, salt=""))


# Arms of experiments -----------------------------------------------------------------------------------------

ARM = Backend("aaaa", "taste-control-x.recs.svc.cluster.local", 8080, arm="taste.control")
OTHER = Backend("dddd", "taste-treatment-x.recs.svc.cluster.local", 8080, 8081, arm="taste.treatment")
WITH_ARMS = replace(
    TABLE,
    slices=(*TABLE.slices, Slice("taste.control", ARM, ((200, 209),)), Slice("taste.treatment", OTHER, ((210, 219),))),
)


def test_an_arm_of_the_stable_model_has_clusters_of_its_own() -> None:
    clusters = {cluster["name"]: cluster for cluster in resources(render(WITH_ARMS), "cds.json")}
    own = clusters[f"{ARM.name}-slice"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert (own["hostname"], own["address"]["socket_address"]["address"]) == ("taste.control.aaaa", ARM.host)
    stable = clusters["aaaa"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert (stable["hostname"], stable["address"]["socket_address"]["address"]) == ("aaaa", A.host)


def test_any_revision_covers_for_an_arm_and_an_arm_covers_for_nobody() -> None:
    names = [cluster["name"] for cluster in resources(render(WITH_ARMS), "cds.json")]
    assert {f"{ARM.name}-slice+aaaa", f"{ARM.name}-slice+bbbb"} <= set(names)
    assert ARM.name not in names
    assert not [name for name in names if name.endswith(f"+{ARM.name}") or f"copied-to-{ARM.name}" in name]


def test_an_experiment_that_comes_or_goes_changes_routes_only_once_it_is_known() -> None:
    announced = replace(TABLE, known=(ARM, OTHER))
    assert changed_files(announced, WITH_ARMS) == {"rds.json"}


def test_testers_force_an_experiments_arm_too() -> None:
    forced = [
        (header["string_match"]["exact"], route["route"]["cluster"])
        for route in user_routes(render(replace(WITH_ARMS, testers=True)))
        for header in route.get("match", {}).get("headers", [])
        if header["name"] == "x-crossfade-arm" and "string_match" in header and "grpc" not in route["match"]
    ]
    assert dict(forced)["taste.control"] == f"{ARM.name}-slice+aaaa"
    assert [arm for arm, _ in forced] == ["stable", "candidate", "taste.control", "taste.treatment"]


def test_a_run_takes_no_more_room_than_is_reckoned_with() -> None:
    long = "e" * 40 + "." + "t" * 20
    widest = Backend("aaaaaaaaaa", "x.recs.svc", 8080, 8081, arm=long)
    stable = replace(A, revision="bbbbbbbbbb", grpc_port=8081)
    spans = [tuple((4 * n, 4 * n) for n in range(ranges)) for ranges in (1, 6)]
    few, many = (render(replace(TABLE, stable=stable, slices=(Slice(long, widest, span),))) for span in spans)
    grown = len(many["rds.json"]) - len(few["rds.json"])
    assert grown <= 5 * 2 * (_size(long) + _size("stable"))


@pytest.mark.parametrize(("grpc", "many"), [pytest.param(None, 10, id="http"), pytest.param(8081, 6, id="grpc too")])
def test_where_there_is_room_for_runs_the_table_fits(grpc: int | None, many: int) -> None:
    """Also beside as many revisions as there may be, and a candidate that has grown between the ranges."""
    revisions = [Backend(f"r{n}aaaaaaaa", f"r{n}.recs.svc", 8080, grpc) for n in range(many)]
    arms = [Backend(f"r{n}aaaaaaaa", f"a{n}.recs.svc", 8080, grpc, arm=f"an-experiment.arm{n}") for n in range(2)]
    bare = replace(TABLE, stable=revisions[0], slices=(), known=tuple(revisions[1:]))
    blocks = room_for_runs(bare, [str(arm.arm) for arm in arms])
    assert blocks >= 5
    slices = []
    for number, arm in enumerate(arms):
        firsts = [12 * block + 3 * number for block in range(blocks)]
        slices.append(Slice(str(arm.arm), arm, tuple((first, first + 2) for first in firsts)))
    grown = Slice("candidate", revisions[1], ((500, 700), (800, 820)))
    render(replace(bare, slices=(*slices, grown, Slice("holdout", revisions[2], ((990, 999),)))))
