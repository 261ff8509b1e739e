"""Listeners: one for users, one for testers when they are let in, one for probes and Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from crossfade_operator.core.envoy.counters import loggers
from crossfade_operator.core.envoy.places import (
    COOKIE_HEADER,
    FORCE_HEADER,
    INTERNAL_HEADERS,
    KNOWN_UNIT_HEADER,
    LISTENER_HEADER,
    ROUTES,
    UNIT_HEADER,
    Json,
    Places,
    socket,
    typed,
)
from crossfade_operator.core.routing import RoutingTable

CONNECTION_AGE = 10
"""Seconds after which a connection is asked to end (between requests, with a proper goodbye). A router that is going
away only has to wait this long, and a new replica gets its share of the load as soon."""

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_MUTATION = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
_IDLE = 300


def public_listeners(table: RoutingTable, places: Places) -> list[Json]:
    """The listeners for users and testers. Only the testers' one lets the header that forces an arm through."""
    found = [_public(table, places, "users", places.http, INTERNAL_HEADERS)]
    if table.testers:
        forgiving = [header for header in INTERNAL_HEADERS if header != FORCE_HEADER]
        found.append(_public(table, places, "testers", places.testers, forgiving))
    return found


def ops_listener(places: Places) -> Json:
    """The listener for probes, Prometheus and the controller; it has no part in what users see."""
    mark = _set(LISTENER_HEADER, "ops")
    manager = _manager(places, "ops", [mark])
    return _listener("ops", places.address, places.ops, manager)


def _public(table: RoutingTable, places: Places, name: str, port: int, internal: Iterable[str]) -> Json:
    removals = [{"remove": header} for header in internal if header != LISTENER_HEADER]
    mutations = [*removals, _set(LISTENER_HEADER, "users"), *_unit_from_cookie(table)]
    idle = max(_IDLE, int(table.request_timeout.total_seconds()) + 5)
    manager = _manager(
        places,
        name,
        mutations,
        access_log=loggers(table),
        stream_idle_timeout=f"{idle}s",
        request_headers_timeout="10s",
    )
    return _listener(name, places.address, port, manager)


def _manager(places: Places, name: str, mutations: list[Json], **more: object) -> Json:
    early = {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(_MUTATION, mutations=mutations),
    }
    router = typed(_ROUTER, suppress_envoy_headers=True)
    return typed(
        _MANAGER,
        stat_prefix=name,
        rds={"route_config_name": ROUTES, "config_source": places.watch("rds.json")},
        early_header_mutation_extensions=[early],
        http_filters=[{"name": "envoy.filters.http.router", "typed_config": router}],
        # Every peer is an outsider: x-envoy-* headers of a client (retries, timeouts) are removed.
        use_remote_address=True,
        internal_address_config={"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        preserve_external_request_id=True,
        server_header_transformation="PASS_THROUGH",
        common_http_protocol_options={
            "idle_timeout": f"{_IDLE}s",
            "max_connection_duration": f"{CONNECTION_AGE}s",
        },
        http1_safe_max_connection_duration=True,
        drain_timeout="5s",
        **more,
    )


def _listener(name: str, address: str, port: int, manager: Json) -> Json:
    connection = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {"name": name, "address": socket(address, port), "filter_chains": [{"filters": [connection]}]}


def _set(header: str, value: str) -> Json:
    return {"append": {"header": {"key": header, "value": value}, "append_action": _OVERWRITE}}


def _unit_from_cookie(table: RoutingTable) -> list[Json]:
    """The unit is the cookie's value or, for whoever has none, a fresh id that the answer hands out as the cookie."""
    if table.unit_cookie is None:
        return []
    name = table.unit_cookie.replace(".", r"[.]")
    found = rf"re.extract(request.headers['cookie'], '(?:^|; ?){name}=([^;]+)', '\\1')"
    return [
        _set(KNOWN_UNIT_HEADER, f"%CEL({found})%"),
        _set(
            UNIT_HEADER, f'%COALESCE({{"operators":[{{"command":"REQ","param":"{KNOWN_UNIT_HEADER}"}},"UNIQUE_ID"]}})%'
        ),
        _set(
            COOKIE_HEADER, f"{table.unit_cookie}=%REQ({UNIT_HEADER})%; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
        ),
    ]
