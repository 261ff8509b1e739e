"""Where a router listens and where it finds its files; and names that more than one file uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ROUTES = "crossfade"
"""Name of the one RouteConfiguration: users, testers and the ops port share it, so they change together."""

ADMIN_CLUSTER = "router-admin"
LISTENER_HEADER = "x-crossfade-listener"
FORCE_HEADER = "x-crossfade-arm"
UNIT_HEADER = "x-crossfade-unit"
KNOWN_UNIT_HEADER = "x-crossfade-known"
COOKIE_HEADER = "x-crossfade-cookie"
ARM_HEADER = "x-arm"
BUCKET_HEADER = "x-abucket"
INTERNAL_HEADERS = (
    ARM_HEADER,
    BUCKET_HEADER,
    LISTENER_HEADER,
    FORCE_HEADER,
    UNIT_HEADER,
    KNOWN_UNIT_HEADER,
    COOKIE_HEADER,
)
"""What nobody outside may say."""


@dataclass(frozen=True)
class Places:
    """Addresses and ports of one router. The defaults are those of a pod; tests choose others."""

    address: str = "0.0.0.0"  # noqa: S104 (a router is there to be reached)
    http: int = 8080
    testers: int = 8090
    ops: int = 9902
    admin: int = 9901
    directory: str = "/etc/crossfade"

    def watch(self, file: str) -> Json:
        """A config source that re-reads `file` when the kubelet swaps the directory's `..data` link."""
        return {
            "resource_api_version": "V3",
            "path_config_source": {
                "path": f"{self.directory}/{file}",
                "watched_directory": {"path": self.directory},
            },
        }


def socket(address: str, port: int) -> Json:
    return {"socket_address": {"address": address, "port_value": port}}


def typed(kind: str, **fields: Any) -> Json:
    """An `Any` message: `kind` is the full protobuf name."""
    return {"@type": f"type.googleapis.com/{kind}", **fields}
