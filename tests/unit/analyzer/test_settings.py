"""Settings: good ones, and the sentence for every bad one."""

from __future__ import annotations

import pytest

from crossfade_analyzer.settings import DEFAULT_STORE, InvalidSetting, Settings, settings

URL = {"CROSSFADE_PROMETHEUS_URL": "http://prometheus:9090"}


def test_defaults() -> None:
    assert settings(URL) == Settings("http://prometheus:9090", DEFAULT_STORE, "0.0.0.0", 8080, 10.0, 60.0, 64)


def test_an_ipv6_address_to_listen_on() -> None:
    chosen = settings({**URL, "CROSSFADE_LISTEN": "[::1]:9000"})
    assert (chosen.host, chosen.port) == ("::1", 9000)


BAD = {
    "no Prometheus": ({}, "CROSSFADE_PROMETHEUS_URL is not set"),
    "Prometheus without a scheme": ({"CROSSFADE_PROMETHEUS_URL": "prometheus:9090"}, "is no http"),
    "a store that forgets": ({**URL, "CROSSFADE_STORE_URL": "sqlite://"}, "evidence would be lost"),
    "a store of another kind": ({**URL, "CROSSFADE_STORE_URL": "mysql://h/d"}, "is not supported"),
    "no store URL": ({**URL, "CROSSFADE_STORE_URL": "evidence"}, "is no database URL"),
    "no port": ({**URL, "CROSSFADE_LISTEN": "0.0.0.0"}, "write host:port"),
    "a port out of range": ({**URL, "CROSSFADE_LISTEN": "0.0.0.0:70000"}, "write host:port"),
    "a time-out of nothing": ({**URL, "CROSSFADE_PROMETHEUS_TIMEOUT": "0"}, "above 0"),
    "a freshness that is no number": ({**URL, "CROSSFADE_ROUTER_FRESHNESS": "nan"}, "above 0"),
}


@pytest.mark.parametrize(("environment", "words"), BAD.values(), ids=BAD)
def test_bad_settings(environment: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        settings(environment)
