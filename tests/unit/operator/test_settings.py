"""The environment as settings, and the sentences for one that will not do."""

from __future__ import annotations

import pytest

from crossfade_operator.settings import LearningSettings, ServingSettings, SettingsError

LEAST = {"CROSSFADE_ANALYZER_URL": "http://analyzer:8080/", "CROSSFADE_ROUTER_IMAGE": "envoy:1"}


def test_the_least_environment_has_safe_defaults() -> None:
    settings = ServingSettings.from_environment(LEAST)
    assert settings.analyzer_url == "http://analyzer:8080"
    assert (settings.namespaces, settings.lease_name) == ((), "crossfade-serving")
    assert (settings.listen_host, settings.listen_port) == ("0.0.0.0", 8080)


def test_a_pod_leases_in_its_own_namespace_under_its_own_name() -> None:
    settings = ServingSettings.from_environment({**LEAST, "POD_NAME": "serving-1", "POD_NAMESPACE": "crossfade"})
    assert settings.lease_namespace == "crossfade"
    assert settings.identity.startswith("serving-1-")


def test_a_restarted_container_is_not_its_predecessor() -> None:
    environ = {**LEAST, "POD_NAME": "serving-1"}
    assert ServingSettings.from_environment(environ).identity != ServingSettings.from_environment(environ).identity


def test_namespaces_come_by_comma() -> None:
    assert ServingSettings.from_environment({**LEAST, "CROSSFADE_NAMESPACES": "recs, search,"}).namespaces == (
        "recs",
        "search",
    )


def test_an_ipv6_address_keeps_its_port_apart() -> None:
    settings = ServingSettings.from_environment({**LEAST, "CROSSFADE_LISTEN": "[::]:9000"})
    assert (settings.listen_host, settings.listen_port) == ("::", 9000)


def test_an_empty_variable_counts_as_not_given() -> None:
    assert ServingSettings.from_environment({**LEAST, "CROSSFADE_ROUTER_PULL_POLICY": ""}).router_pull_policy is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"CROSSFADE_ANALYZER_URL": ""}, "set CROSSFADE_ANALYZER_URL: it is required"),
        ({"CROSSFADE_ROUTER_IMAGE": ""}, "set CROSSFADE_ROUTER_IMAGE: it is required"),
        ({"CROSSFADE_ANALYZER_URL": "analyzer:8080"}, "CROSSFADE_ANALYZER_URL: .*must be a URL such as"),
        ({"CROSSFADE_LISTEN": "8080x"}, "CROSSFADE_LISTEN: .*an address and a port"),
        ({"CROSSFADE_WORKERS": "many"}, "CROSSFADE_WORKERS: .*integer"),
        ({"CROSSFADE_WORKERS": "0"}, "CROSSFADE_WORKERS: .*greater than or equal to 1"),
        ({"CROSSFADE_LOG_LEVEL": "LOUD"}, "CROSSFADE_LOG_LEVEL: .*'DEBUG', 'INFO'"),
        ({"CROSSFADE_ROUTER_PULL_POLICY": "Sometimes"}, "CROSSFADE_ROUTER_PULL_POLICY: .*'Always'"),
    ],
)
def test_a_variable_that_will_not_do_is_named_with_what_to_do(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        ServingSettings.from_environment({**LEAST, **changes})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SettingsError, match=r"ANALYZER_URL.*; .*ROUTER_IMAGE"):
        ServingSettings.from_environment({})


def test_the_learning_side_needs_no_router_and_leads_by_a_lease_of_its_own() -> None:
    settings = LearningSettings.from_environment(LEAST)
    assert settings.lease_name == "crossfade-learning"
    assert "router_image" not in LearningSettings.model_fields
