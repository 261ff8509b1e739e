"""Routes: the weighted table in which a unit's hash finds its arm, and the answers of the ops port.

The table has one run of entries for each analysis bucket, all alike; the weights of a run sum to the number of
positions. So the entry that Envoy draws with the hash says both the bucket and the slice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from crossfade_operator.core.assignment import BUCKETS, POSITIONS
from crossfade_operator.core.envoy.clusters import protocols, routed_name, stable_name
from crossfade_operator.core.envoy.places import (
    ADMIN_CLUSTER,
    ARM_HEADER,
    BUCKET_HEADER,
    COOKIE_HEADER,
    FORCE_HEADER,
    KNOWN_UNIT_HEADER,
    LISTENER_HEADER,
    ROUTES,
    UNIT_HEADER,
    Json,
)
from crossfade_operator.core.routing import Backend, RoutingTable, Slice, digest

METRICS = "|".join(
    (
        r"^(crossfade\.",
        r"cluster\.[^.]*\.(membership|outlier_detection|upstream_cx_active|upstream_rq_active)",
        r"(cluster|listener)_manager\.",
        r"http\.(users|testers)\.downstream_(rq|cx)_(active|total|completed)",
        r"http\.[a-z]*\.rds\.",
        r"server\.)",
    )
)
"""Which of Envoy's statistics the ops port shows: the counters, the pods as the router sees them, its own health."""


class _Entry(NamedTuple):
    """What one position leads to."""

    arm: str
    cluster: str


def route_configuration(table: RoutingTable) -> Json:
    """The RouteConfiguration of users, testers and ops."""
    users = {
        "name": "users",
        "domains": ["users"],
        "routes": list(_user_routes(table)),
        "request_headers_to_remove": [LISTENER_HEADER, *([FORCE_HEADER] if table.testers else [])],
        **_issue_cookie(table),
    }
    ops = {"name": "ops", "domains": ["ops"], "routes": list(_ops_routes(table))}
    return {
        "name": ROUTES,
        "validate_clusters": True,
        "vhost_header": LISTENER_HEADER,
        "virtual_hosts": [users, ops],
    }


def _user_routes(table: RoutingTable) -> Iterator[Json]:
    if table.stable is None:
        yield _answer({"prefix": "/"}, 503, "No revision of this model is ready yet.\n")
        return
    grpc_first = (True, False) if any(True in protocols(one) for one in table.backends) else (False,)
    for grpc in grpc_first:
        yield from _forced(table, table.stable, grpc)
    if table.testers:
        wanted = {"prefix": "/", "headers": [{"name": FORCE_HEADER, "present_match": True}]}
        yield _answer(wanted, 404, f"{FORCE_HEADER} names an arm that this endpoint does not have now.\n")
    for grpc in grpc_first:
        yield from _without_unit(table, table.stable, grpc)
        yield _assigned(table, table.stable, grpc)


def _forced(table: RoutingTable, stable: Backend, grpc: bool) -> Iterator[Json]:
    if not table.testers:
        return
    arms = {"stable": stable_name(stable, grpc)}
    arms |= {one.arm: routed_name(one, stable, grpc) for one in sorted(table.slices, key=_arm) if not one.mirror}
    for arm, cluster in arms.items():
        wanted = {"name": FORCE_HEADER, "string_match": {"exact": arm}}
        yield {
            "match": _match(grpc, wanted),
            "route": {"cluster": cluster, **_limits(table)},
            "request_headers_to_add": _labels(arm, "forced"),
        }


def _arm(one: Slice) -> str:
    return one.arm


def _without_unit(table: RoutingTable, stable: Backend, grpc: bool) -> Iterator[Json]:
    if table.unit_header is None:
        return
    # A blank header is a missing one: hashed, it would put all who send it into one bucket.
    blank = {"name": table.unit_header, "string_match": {"exact": ""}, "treat_missing_header_as_empty": True}
    yield {
        "match": _match(grpc, blank),
        "route": {"cluster": stable_name(stable, grpc), **_limits(table)},
        "request_headers_to_add": _labels("unassigned", "none"),
    }


def _assigned(table: RoutingTable, stable: Backend, grpc: bool) -> Json:
    runs = [(entry, len(list(run))) for entry, run in groupby(_by_position(table, stable, grpc))]
    entries = [
        {"name": entry.cluster, "weight": weight, "request_headers_to_add": _labels(entry.arm, str(bucket))}
        for bucket in range(BUCKETS)
        for entry, weight in runs
    ]
    salted = {"pattern": {"regex": "^"}, "substitution": table.salt.replace("\\", "\\\\")}
    unit = {"header_name": table.unit_header or UNIT_HEADER, "regex_rewrite": salted}
    return {
        "match": _match(grpc),
        "route": {
            "weighted_clusters": {"use_hash_policy": True, "clusters": entries},
            "hash_policy": [{"header": unit, "terminal": True}],
            **_limits(table),
        },
    }


def _by_position(table: RoutingTable, stable: Backend, grpc: bool) -> list[_Entry]:
    found = [_Entry("stable", stable_name(stable, grpc))] * POSITIONS
    for one in table.slices:
        entry = _Entry("stable" if one.mirror else one.arm, routed_name(one, stable, grpc))
        for first, last in one.ranges:
            found[first : last + 1] = [entry] * (last - first + 1)
    return found


def _match(grpc: bool, *headers: Json) -> Json:
    match: Json = {"prefix": "/"}
    if grpc:
        match["grpc"] = {}
    if headers:
        match["headers"] = list(headers)
    return match


def _limits(table: RoutingTable) -> Json:
    limits: Json = {"timeout": f"{table.request_timeout.total_seconds():g}s"}
    if table.try_timeout:
        # What is tried again, and where, is up to the cluster; Envoy takes the length of a try from the route alone.
        limits["retry_policy"] = {"per_try_timeout": f"{table.try_timeout.total_seconds():g}s"}
    return limits


def _labels(arm: str, bucket: str) -> list[Json]:
    # Both are removed from every request that comes in, so adding them cannot double them.
    return [{"header": {"key": ARM_HEADER, "value": arm}}, {"header": {"key": BUCKET_HEADER, "value": bucket}}]


def _issue_cookie(table: RoutingTable) -> Json:
    if table.unit_cookie is None:
        return {}
    issued = f"%CEL('{KNOWN_UNIT_HEADER}' in request.headers ? '' : request.headers['{COOKIE_HEADER}'])%"
    return {"response_headers_to_add": [{"header": {"key": "set-cookie", "value": issued}}]}


def _ops_routes(table: RoutingTable) -> Iterator[Json]:
    known = {
        "endpoint": table.endpoint,
        "generation": table.generation,
        "digest": digest(table),
        "decision": table.decision,
    }
    generation = _answer(_get("/generation"), 200, json.dumps(known) + "\n")
    yield {**generation, "response_headers_to_add": [_header("content-type", "application/json")]}
    yield _admin("/ready", "/ready")
    yield _admin("/metrics", f"/stats/prometheus?usedonly&filter={METRICS}")
    yield _answer({"prefix": "/"}, 404, "This port answers GET /ready, /metrics and /generation.\n")


def _get(path: str) -> Json:
    return {"path": path, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}


def _admin(path: str, target: str) -> Json:
    return {"match": _get(path), "route": {"cluster": ADMIN_CLUSTER, "prefix_rewrite": target, "timeout": "10s"}}


def _answer(match: Json, status: int, text: str) -> Json:
    return {"match": match, "direct_response": {"status": status, "body": {"inline_string": text}}}


def _header(key: str, value: str) -> Json:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
