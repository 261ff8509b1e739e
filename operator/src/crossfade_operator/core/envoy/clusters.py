"""Clusters: a revision's pods, found by cluster DNS, checked by the router itself.

A revision has one cluster for each role, because the roles differ in what is right when pods look ill. Stable's pods
are tried even when most of them look ill: there is nobody else. A slice's pods are left out at once, down to none,
and stable answers. The names carry revision and role, so a cluster never changes under its name while it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from crossfade_operator.core.envoy.places import ARM_HEADER, Json, typed
from crossfade_operator.core.routing import Backend, RoutingTable, Slice

_UNLIMITED = {
    "thresholds": [
        {"max_connections": 65535, "max_pending_requests": 65535, "max_requests": 65535, "max_retries": 65535}
    ]
}
"""A router must not refuse what a model server would have answered: Envoy's default of 3 retries at a time fails
thousands of requests when a candidate dies under load."""

MIRROR_ARM = "mirror"
"""What `x-arm` says on a copy, whose answer nobody gets."""

_CONNECT_TIMEOUT = "0.5s"
_UPSTREAM_IDLE = "4s"
"""Below the 5 s after which common Python servers close an idle connection, so that the router never sends a request
into a connection that is being closed."""

_OTHER_POD = "reset,connect-failure,refused-stream"
"""No answer came: the pod is gone, or the try took too long. A model's own error is an answer and stays as it is."""
_STABLE_RETRIES = 2
_FALLBACK = f"5xx,{_OTHER_POD}"
_GRPC_FALLBACK = f"{_FALLBACK},unavailable,internal,deadline-exceeded,resource-exhausted"

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_RESOLVED_OFTEN = typed(
    "envoy.extensions.clusters.dns.v3.DnsCluster",
    dns_refresh_rate="1s",
    dns_failure_refresh_rate={"base_interval": "1s", "max_interval": "2s"},
    dns_lookup_family="V4_PREFERRED",
)
_FOLLOW_HEALTH = {"ignore_new_hosts_until_first_hc": True, "update_merge_window": "0s"}
"""By default Envoy keeps changes of health back for up to a second after the last one: a pod that dies right after
another became ready would get requests all that time, although it is known to be dead."""
_BACK_OFF = {"base_interval": "0.005s", "max_interval": "0.05s"}


def stable_name(backend: Backend, grpc: bool = False) -> str:
    return _with_protocol(backend, backend.name, grpc)


def slice_name(backend: Backend, grpc: bool = False) -> str:
    return _with_protocol(backend, f"{backend.name}-slice", grpc)


def fallback_name(backend: Backend, stable: Backend, grpc: bool = False) -> str:
    """The cluster that asks `backend` first and `stable` next."""
    return f"{slice_name(backend, grpc)}+{stable_name(stable, grpc)}"


def mirror_name(backend: Backend, stable: Backend, grpc: bool = False) -> str:
    """The cluster that asks `stable` and sends a copy to `backend`."""
    return f"{stable_name(stable, grpc)}-copied-to-{slice_name(backend, grpc)}"


def routed_name(one: Slice, stable: Backend, grpc: bool = False) -> str:
    """Where the requests of a slice go."""
    if one.mirror:
        return mirror_name(one.backend, stable, grpc)
    if one.backend == stable:
        return stable_name(stable, grpc)
    return fallback_name(one.backend, stable, grpc)


def clusters(table: RoutingTable) -> list[Json]:
    """All clusters of a table, sorted by name.

    They depend on which revisions and arms there are, never on which of them is stable or has a slice. So a step, a
    promotion or a rollback changes routes only, and no route ever meets a cluster that is not there yet or not there
    any more.
    """
    return sorted(_all(table), key=lambda cluster: str(cluster["name"]))


def protocols(backend: Backend) -> tuple[bool, ...]:
    """For which of HTTP (False) and gRPC (True) the revision has a port."""
    return (False,) if backend.grpc_port is None else (False, True)


def _with_protocol(backend: Backend, name: str, grpc: bool) -> str:
    return f"{name}-grpc" if grpc and backend.grpc_port is not None else name


def _all(table: RoutingTable) -> Iterator[Json]:
    backends = {backend.name: backend for backend in table.backends}.values()
    revisions = [backend for backend in backends if backend.arm is None]
    arms = [backend for backend in backends if backend.arm is not None]
    for backend in revisions:
        for grpc in protocols(backend):
            yield _stable_cluster(table, backend, grpc)
            if len(revisions) > 1:
                yield _slice_cluster(table, backend, grpc)
    for backend, stable in permutations(revisions, 2):
        for grpc in _protocols_of_both(backend, stable):
            yield _fallback_cluster(backend, stable, grpc)
            yield _mirror_cluster(backend, stable, grpc)
    for backend in arms:
        for grpc in protocols(backend):
            yield _slice_cluster(table, backend, grpc)
        # An arm is never stable and gets no copies, but any revision may be the stable one that covers for it.
        for stable in revisions:
            for grpc in _protocols_of_both(backend, stable):
                yield _fallback_cluster(backend, stable, grpc)


def _protocols_of_both(backend: Backend, stable: Backend) -> list[bool]:
    return sorted({*protocols(backend), *protocols(stable)})


def _stable_cluster(table: RoutingTable, backend: Backend, grpc: bool) -> Json:
    return {
        **_pods(table, backend, stable_name(backend, grpc), grpc),
        **_protocol(grpc, retry_policy=_stable_retries()),
        "common_lb_config": _FOLLOW_HEALTH,
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 3,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_consecutive_5xx": 0,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "15s",
            "max_ejection_percent": 50,
        },
    }


def _slice_cluster(table: RoutingTable, backend: Backend, grpc: bool) -> Json:
    return {
        **_pods(table, backend, slice_name(backend, grpc), grpc),
        **_protocol(grpc),
        "common_lb_config": {**_FOLLOW_HEALTH, "healthy_panic_threshold": {"value": 0}},
        "outlier_detection": {
            "consecutive_5xx": 5,
            "enforcing_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "10s",
            "max_ejection_percent": 100,
        },
    }


def _fallback_cluster(backend: Backend, stable: Backend, grpc: bool) -> Json:
    retries = {
        "retry_on": _GRPC_FALLBACK if grpc else _FALLBACK,
        "num_retries": 1,
        "retry_back_off": _BACK_OFF,
    }
    members = [slice_name(backend, grpc), stable_name(stable, grpc)]
    return _composite(fallback_name(backend, stable, grpc), members, grpc, retry_policy=retries)


def _mirror_cluster(backend: Backend, stable: Backend, grpc: bool) -> Json:
    mark = {"header": {"key": ARM_HEADER, "value": MIRROR_ARM}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    copy = {
        "cluster": slice_name(backend, grpc),
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": mark}],
    }
    name, members = mirror_name(backend, stable, grpc), [stable_name(stable, grpc)] * (1 + _STABLE_RETRIES)
    return _composite(name, members, grpc, retry_policy=_stable_retries(), request_mirror_policies=[copy])


def _composite(name: str, members: list[str], grpc: bool, **options: object) -> Json:
    """A cluster whose first try goes to the first member, the second to the second, and so on; a try more fails."""
    config = typed(
        "envoy.extensions.clusters.composite.v3.ClusterConfig", clusters=[{"name": member} for member in members]
    )
    return {
        "name": name,
        "connect_timeout": _CONNECT_TIMEOUT,
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": _UNLIMITED,
        "cluster_type": {"name": "envoy.clusters.composite", "typed_config": config},
        **_protocol(grpc, **options),
    }


def _stable_retries() -> Json:
    other_pod = typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate")
    return {
        "retry_on": _OTHER_POD,
        "num_retries": _STABLE_RETRIES,
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": other_pod}],
        "host_selection_retry_max_attempts": 5,
        "retry_back_off": _BACK_OFF,
    }


def _pods(table: RoutingTable, backend: Backend, name: str, grpc: bool) -> Json:
    port = backend.grpc_port if grpc else backend.http_port
    # `hostname` is what the counters' label `served` reads: who really answered.
    endpoint = {
        "hostname": backend.served,
        "address": {"socket_address": {"address": backend.host, "port_value": port}},
    }
    return {
        "name": name,
        "cluster_type": {"name": "envoy.clusters.dns", "typed_config": _RESOLVED_OFTEN},
        "connect_timeout": _CONNECT_TIMEOUT,
        # A pod that left DNS is going away: it gets no new request, however healthy it still looks.
        "ignore_health_on_host_removal": True,
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": _UNLIMITED,
        "health_checks": [_health_check(table, grpc)],
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
    }


def _health_check(table: RoutingTable, grpc: bool) -> Json:
    times = {
        "timeout": "1s",
        "interval": "2s",
        "no_traffic_interval": "2s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
    }
    if table.health_path is None or grpc:
        return {**times, "tcp_health_check": {}}
    accepted = [{"start": 200, "end": 400}]
    return {**times, "http_health_check": {"path": table.health_path, "expected_statuses": accepted}}


def _protocol(grpc: bool, **more: object) -> Json:
    explicit: Json = {"http2_protocol_options": {}} if grpc else {"http_protocol_options": {}}
    idle = {"idle_timeout": _UPSTREAM_IDLE}
    return {
        "typed_extension_protocol_options": {
            _OPTIONS: typed(_OPTIONS, explicit_http_config=explicit, common_http_protocol_options=idle, **more)
        }
    }
