"""The router's objects are what a restricted namespace admits, and go with their endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossfade_operator.core.children.router import Owner, Pods, router_manifests, selector
from crossfade_operator.core.envoy.listeners import CONNECTION_AGE
from crossfade_operator.core.routing import Backend, InvalidTable, RoutingTable

ENDPOINT = {
    "apiVersion": "crossfade.dev/v1alpha1",
    "kind": "ModelEndpoint",
    "metadata": {"name": "ranker", "namespace": "recs", "uid": "1234"},
}
TABLE = RoutingTable(
    endpoint="recs/ranker",
    generation=1,
    decision="",
    salt="s",
    stable=Backend("aaaa", "ranker-aaaa.recs.svc", 8080),
    unit_header="x-user-id",
)
PODS = Pods(image="envoyproxy/envoy:v1.40.0", replicas=3)


def manifests(table: RoutingTable = TABLE, pods: Pods = PODS) -> dict[tuple[str, str], Mapping[str, Any]]:
    found = router_manifests(Owner.of(ENDPOINT), table, pods)
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def pod_spec(table: RoutingTable = TABLE, pods: Pods = PODS) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = manifests(table, pods)["Deployment", "ranker-router"]["spec"]["template"]["spec"]
    return spec


def container(table: RoutingTable = TABLE, pods: Pods = PODS) -> Mapping[str, Any]:
    (one,) = pod_spec(table, pods)["containers"]
    return dict(one)


def test_the_table_comes_first_and_the_pods_last() -> None:
    assert list(manifests()) == [
        ("ConfigMap", "ranker-router"),
        ("Service", "ranker"),
        ("PodDisruptionBudget", "ranker-router"),
        ("Deployment", "ranker-router"),
    ]


def test_testers_get_a_service_of_their_own_when_they_are_let_in() -> None:
    service = manifests(replace(TABLE, testers=True))["Service", "ranker-testers"]
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "testers"}]


def test_everything_is_the_endpoints_and_goes_with_it() -> None:
    for one in manifests(replace(TABLE, testers=True)).values():
        (reference,) = one["metadata"]["ownerReferences"]
        assert (reference["kind"], reference["name"], reference["uid"]) == ("ModelEndpoint", "ranker", "1234")
        assert one["metadata"]["namespace"] == "recs"
        assert one["metadata"]["labels"] == {
            "app.kubernetes.io/managed-by": "crossfade",
            "crossfade.dev/endpoint": "ranker",
            "crossfade.dev/component": "router",
        }


def test_the_pods_are_selected_by_all_that_mean_them() -> None:
    found = manifests()
    deployment = found["Deployment", "ranker-router"]["spec"]
    assert deployment["selector"]["matchLabels"] == selector("ranker")
    assert selector("ranker").items() <= deployment["template"]["metadata"]["labels"].items()
    assert found["Service", "ranker"]["spec"]["selector"] == selector("ranker")
    assert found["PodDisruptionBudget", "ranker-router"]["spec"]["selector"]["matchLabels"] == selector("ranker")


def test_the_pods_meet_the_restricted_pod_security_standard() -> None:
    spec, one = pod_spec(), container()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} == {"configMap"}


def test_a_router_has_no_identity() -> None:
    assert pod_spec()["automountServiceAccountToken"] is False


def test_the_table_is_mounted_as_a_directory_so_that_it_can_change() -> None:
    (mount,) = container()["volumeMounts"]
    assert (mount["mountPath"], "subPath" in mount) == ("/etc/crossfade", False)


@pytest.mark.parametrize(
    ("timeout", "linger"), [(timedelta(seconds=1.5), 17), (timedelta(seconds=60), 30), (timedelta(hours=2), 30)]
)
def test_a_router_that_goes_lingers_until_its_connections_are_handed_over(timeout: timedelta, linger: int) -> None:
    table = replace(TABLE, request_timeout=timeout)
    sleep = container(table)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep == linger > CONNECTION_AGE
    assert pod_spec(table)["terminationGracePeriodSeconds"] > sleep


def test_a_new_table_leaves_the_pods_alone() -> None:
    later = replace(TABLE, generation=9, testers=True, latency_bounds=("1s",), stable=None)
    assert manifests(later)["Deployment", "ranker-router"] == manifests()["Deployment", "ranker-router"]


def test_prometheus_is_told_where_to_look() -> None:
    annotations = manifests()["Deployment", "ranker-router"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "9902"
    assert {port["name"]: port["containerPort"] for port in container()["ports"]} == {
        "http": 8080,
        "testers": 8090,
        "ops": 9902,
    }


def test_image_resources_and_replicas_are_the_users() -> None:
    pods = Pods("mine:1", replicas=1, resources={"limits": {"cpu": "2"}}, pull_policy="Never")
    one = container(pods=pods)
    assert (one["image"], one["imagePullPolicy"], one["resources"]) == ("mine:1", "Never", {"limits": {"cpu": "2"}})
    assert manifests(pods=pods)["Deployment", "ranker-router"]["spec"]["replicas"] == 1


def test_a_single_router_does_not_block_a_nodes_drain() -> None:
    budget = manifests(pods=replace(PODS, replicas=1))["PodDisruptionBudget", "ranker-router"]["spec"]
    assert budget["maxUnavailable"] == 1


def test_an_impossible_table_makes_no_manifest() -> None:
    with pytest.raises(InvalidTable):
        router_manifests(Owner.of(ENDPOINT), replace(TABLE, salt=""), PODS)
