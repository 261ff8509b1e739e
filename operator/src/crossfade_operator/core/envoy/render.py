"""`render`: the four files of a router's ConfigMap."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from crossfade_operator.core.assignment import BUCKETS
from crossfade_operator.core.envoy.bootstrap import bootstrap
from crossfade_operator.core.envoy.clusters import clusters
from crossfade_operator.core.envoy.listeners import public_listeners
from crossfade_operator.core.envoy.places import Json, Places, typed
from crossfade_operator.core.envoy.routes import route_configuration
from crossfade_operator.core.routing import InvalidTable, RoutingTable, check

REMEMBERED = 1024
"""Tables whose files are kept, packed to some KiB each. A turn that changes nothing, and most do, renders nothing."""

MOST_BYTES = 1_000_000
"""A ConfigMap holds 1 MiB in all."""


_MOST_OF_ROUTES = 600_000
"""What the users' routes may take of that when an experiment asks: the rest is for the clusters of the revisions that
there may be, for listeners, and for a candidate that grows between the experiment's ranges."""
_ENTRY = 165
"""Bytes of one entry of the weighted table beside its arm's name. A test holds it to what is rendered."""


def room_for_runs(table: RoutingTable, arms: Sequence[str]) -> int:
    """How often runs of all these arms, and one of stable's, still fit into the table beside what it has."""
    protocols = 2 if any(backend.grpc_port for backend in table.backends) else 1
    left = _MOST_OF_ROUTES // protocols - sum(map(_size, table.runs))
    return max(left // sum(map(_size, (*arms, "stable"))), 0)


def _size(arm: str) -> int:
    return BUCKETS * (_ENTRY + len(arm))


def render(table: RoutingTable, places: Places | None = None) -> dict[str, str]:
    """The ConfigMap's data: `envoy.yaml`, `lds.json`, `cds.json`, `rds.json`. The same table gives the same bytes.

    A file changes only when its content does, so a new split of the users leaves listeners and clusters alone.
    Raises `InvalidTable` with a sentence when a router would refuse the table or serve users wrongly.
    """
    return _files(table, places or Places())


@lru_cache(maxsize=REMEMBERED)
def content_digest(table: RoutingTable, places: Places | None = None) -> str:
    """SHA-256 (hex) of what the routers read, generation and decision left out.

    It also changes when a newer version of ours renders the same table in another way, so that the routers get that.
    Raises `InvalidTable` as `render` does.
    """
    files = _rendered(replace(table, generation=0, decision=""), places or Places())
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def _files(table: RoutingTable, where: Places) -> dict[str, str]:
    files: dict[str, str] = json.loads(zlib.decompress(_packed(table, where)))
    return files


@lru_cache(maxsize=REMEMBERED)
def _packed(table: RoutingTable, where: Places) -> bytes:
    return zlib.compress(json.dumps(_rendered(table, where)).encode(), level=1)


def _rendered(table: RoutingTable, where: Places) -> dict[str, str]:
    check(table)
    files = {
        "envoy.yaml": json.dumps(bootstrap(table.endpoint, table.unit_header, where), indent=2),
        "lds.json": _response("envoy.config.listener.v3.Listener", public_listeners(table, where)),
        "cds.json": _response("envoy.config.cluster.v3.Cluster", clusters(table)),
        "rds.json": _response("envoy.config.route.v3.RouteConfiguration", [route_configuration(table)]),
    }
    size = sum(len(name) + len(text.encode()) for name, text in files.items())
    if size > MOST_BYTES:
        ranges = sum(len(one.ranges) for one in table.slices)
        raise InvalidTable(
            f"the table of {ranges} ranges takes {size} bytes, and a ConfigMap holds {MOST_BYTES}: use fewer ranges"
        )
    return files


def _response(kind: str, resources: list[Json]) -> str:
    found = [typed(kind, **resource) for resource in resources]
    version = hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]
    return json.dumps({"version_info": version, "resources": found}, separators=(",", ":"))
