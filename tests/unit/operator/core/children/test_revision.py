"""What one revision is made of."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.core.children.revision import deployment, labels, owner_of, ports_of, record, service

ROLLOUT = {
    "apiVersion": "crossfade.dev/v1alpha1",
    "kind": "ModelRollout",
    "metadata": {"name": "ranker", "namespace": "recs", "uid": "uid-7"},
    "spec": {"endpoint": "ranking"},
}
REVISION = "kx7wq2m9bc"
TEMPLATE = {
    "metadata": {"labels": {"app": "ranker"}, "annotations": {"team": "recs"}},
    "spec": {"containers": [{"name": "model", "image": "v1", "ports": [{"name": "http", "containerPort": 8080}]}]},
}
CHILDREN = {
    "ControllerRevision": record,
    "Service": service,
    "Deployment": lambda *args: deployment(*args, 3),
}


@pytest.mark.parametrize("make", [pytest.param(make, id=kind) for kind, make in CHILDREN.items()])
def test_every_child_is_named_labelled_and_owned(make: Any) -> None:
    meta = make(ROLLOUT, REVISION, TEMPLATE)["metadata"]
    assert (meta["name"], meta["namespace"]) == ("ranker-kx7wq2m9bc", "recs")
    assert meta["labels"] == labels("ranking", "ranker", REVISION)
    assert meta["ownerReferences"] == [owner_of(ROLLOUT)]


def test_the_owner_is_the_rollout() -> None:
    owner = owner_of(ROLLOUT)
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "ModelRollout",
        "ranker",
        "uid-7",
        True,
    )


def test_the_record_keeps_the_template_as_it_is() -> None:
    assert record(ROLLOUT, REVISION, TEMPLATE)["data"] == {"template": TEMPLATE}


def test_the_deployment_runs_the_template_with_our_labels_added() -> None:
    made = deployment(ROLLOUT, REVISION, TEMPLATE, 3)["spec"]
    assert made["replicas"] == 3
    meta = made["template"]["metadata"]
    assert meta["labels"] == {"app": "ranker", **labels("ranking", "ranker", REVISION)}
    assert meta["annotations"] == {"team": "recs"}
    assert made["template"]["spec"] == {"automountServiceAccountToken": False, **TEMPLATE["spec"]}
    assert made["selector"]["matchLabels"].items() <= meta["labels"].items()
    assert TEMPLATE["metadata"]["labels"] == {"app": "ranker"}, "the template itself is left alone"


def test_a_template_without_metadata_gets_our_labels() -> None:
    made = deployment(ROLLOUT, REVISION, {"spec": TEMPLATE["spec"]}, 1)
    assert made["spec"]["template"]["metadata"] == {"labels": labels("ranking", "ranker", REVISION)}


def test_the_service_leads_to_the_pods_of_this_revision_alone() -> None:
    spec = service(ROLLOUT, REVISION, TEMPLATE)["spec"]
    assert spec["clusterIP"] == "None", "headless: routers see every pod"
    assert spec["selector"]["crossfade.dev/revision"] == REVISION
    assert spec["ports"] == [{"name": "http", "port": 8080, "targetPort": "http"}]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([("http", 8080)], {"http": 8080}, id="http"),
        pytest.param([("grpc", 9000), ("http", 8080)], {"http": 8080, "grpc": 9000}, id="http before grpc"),
        pytest.param([("metrics", 9100), (None, 1)], {}, id="others are not ours"),
    ],
)
def test_the_ports_that_are_served(ports: list[tuple[str | None, int]], expected: dict[str, int]) -> None:
    listed = [{"name": name, "containerPort": port} for name, port in ports]
    found = ports_of({"spec": {"containers": [{"name": "log"}, {"name": "model", "ports": listed}]}})
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize("asked", [True, False])
def test_a_model_server_gets_a_token_only_if_its_template_asks_for_one(asked: bool) -> None:
    wanting = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "automountServiceAccountToken": asked}}
    made = deployment(ROLLOUT, REVISION, wanting, 1)["spec"]["template"]["spec"]
    assert made["automountServiceAccountToken"] is asked
