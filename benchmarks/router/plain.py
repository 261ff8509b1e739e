"""What the router is compared with: the same Envoy with one cluster and nothing else.

It has what people give an Envoy that faces clients, as the router does: the client's address is taken from the
connection, idle connections and slow requests end. A `bare` one has not even these settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.dataplane.rig import LOOPBACK, Envoy, Model, free_ports

_EDGE: dict[str, Any] = {
    "use_remote_address": True,
    "stream_idle_timeout": "300s",
    "request_headers_timeout": "10s",
    "common_http_protocol_options": {"idle_timeout": "300s"},
}
_FILTERS = "type.googleapis.com/envoy.extensions.filters"


class Plain:
    """A plain reverse proxy to `model`: no table, no metrics of ours, no retries, no health checks."""

    def __init__(self, directory: Path, model: Model, *, bare: bool = False, start: type[Envoy] = Envoy) -> None:
        self.port, admin = free_ports(2)
        config = directory / ("bare.yaml" if bare else "plain.yaml")
        config.write_text(yaml.safe_dump(_config(self.port, admin, model.port, {} if bare else _EDGE)))
        self.envoy = start(config, admin).wait_ready()

    def stop(self) -> None:
        self.envoy.stop()


def _config(port: int, admin: int, upstream: int, more: dict[str, Any]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(upstream)}}
    assignment = {"cluster_name": "model", "endpoints": [{"lb_endpoints": [endpoint]}]}
    cluster = {"name": "model", "connect_timeout": "1s", "load_assignment": assignment}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "model"}}]
    router = {"@type": f"{_FILTERS}.http.router.v3.Router"}
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain",
        **more,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    listener = {"name": "plain", "address": _address(port), "filter_chains": [chain]}
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {"clusters": [cluster], "listeners": [listener]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
