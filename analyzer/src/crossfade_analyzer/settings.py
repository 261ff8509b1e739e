"""Settings from the environment; a bad one stops the start with a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from crossfade_analyzer.store.evidence import checked_url

DEFAULT_STORE = "sqlite:////var/lib/crossfade/evidence.db"


class InvalidSetting(ValueError):
    """A setting cannot be used; the message names the variable and says what to write."""


@dataclass(frozen=True)
class Settings:
    """Where evidence comes from, where it is kept, and where the service listens.

    Seconds: `prometheus_timeout` for one query, `freshness` for the oldest acceptable scrape of a router (never less
    than 2.5 of its scrape intervals). `remembered`: subjects whose state is kept in memory.
    """

    prometheus_url: str
    store_url: str = DEFAULT_STORE
    host: str = "0.0.0.0"  # noqa: S104
    port: int = 8080
    prometheus_timeout: float = 10.0
    freshness: float = 60.0
    remembered: int = 64


def settings(environment: Mapping[str, str]) -> Settings:
    """Read `CROSSFADE_*` variables. Raises `InvalidSetting`."""
    host, port = _listen(environment.get("CROSSFADE_LISTEN", "0.0.0.0:8080"))
    return Settings(
        prometheus_url=_prometheus(environment.get("CROSSFADE_PROMETHEUS_URL", "")),
        store_url=store_url(environment),
        host=host,
        port=port,
        prometheus_timeout=_positive(environment, "CROSSFADE_PROMETHEUS_TIMEOUT", 10.0, 120.0),
        freshness=_positive(environment, "CROSSFADE_ROUTER_FRESHNESS", 60.0, 3600.0),
        remembered=int(_positive(environment, "CROSSFADE_REMEMBERED_SUBJECTS", 64.0, 10_000.0)),
    )


def store_url(environment: Mapping[str, str]) -> str:
    """The evidence store's URL, checked. Raises `InvalidSetting`."""
    url = environment.get("CROSSFADE_STORE_URL") or DEFAULT_STORE
    try:
        checked_url(url)
    except ValueError as error:
        raise InvalidSetting(str(error)) from error
    return url


def _prometheus(url: str) -> str:
    if not url:
        raise InvalidSetting(
            "CROSSFADE_PROMETHEUS_URL is not set; give Prometheus' address, e.g. http://prometheus:9090"
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidSetting(f"CROSSFADE_PROMETHEUS_URL={url!r} is no http(s) URL; write e.g. http://prometheus:9090")
    return url


def _listen(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise InvalidSetting(
            f"CROSSFADE_LISTEN={value!r} is no address; write host:port, e.g. 0.0.0.0:8080 or [::]:8080"
        )
    return host.strip("[]"), int(port)


def _positive(environment: Mapping[str, str], name: str, default: float, most: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        raise InvalidSetting(f"{name}={text!r} is not a number above 0 and up to {most:g}")
    return value
