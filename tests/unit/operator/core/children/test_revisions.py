"""Which revisions are kept, with how many pods, and what is applied and deleted for that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Retiring, Stage
from crossfade_operator.core.children.revisions import (
    applied,
    backends,
    deleted,
    replicas_by_revision,
    templates_on_record,
)
from crossfade_operator.core.effects import Apply, Delete
from crossfade_operator.core.rollout.view import Routes
from crossfade_operator.core.routing import Backend
from crossfade_operator.ports.cluster import Children
from tests.unit.operator.core.rollout import views

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
A, B = views.STABLE, views.OTHER
ROLLOUT = {
    "apiVersion": "crossfade.dev/v1alpha1",
    "kind": "ModelRollout",
    "metadata": {"name": "ranker", "namespace": "recs", "uid": "uid-7"},
    "spec": {"endpoint": "ranking"},
}


def template(*names: str) -> dict[str, Any]:
    ports = [{"name": name, "containerPort": 8080 + index} for index, name in enumerate(names)]
    return {"spec": {"containers": [{"name": "model", "ports": ports}]}}


def child(kind: str, revision: str | None, rollout: str = "ranker", **fields: Any) -> dict[str, Any]:
    labels = {"crossfade.dev/rollout": rollout} | ({"crossfade.dev/revision": revision} if revision else {})
    meta = {"name": f"{rollout}-{revision}", "namespace": "recs", "uid": f"{kind}-{revision}", "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **fields}


def children(**kinds: list[dict[str, Any]]) -> Children:
    empty: dict[str, list[Any]] = {
        "deployments": [],
        "services": [],
        "config_maps": [],
        "controller_revisions": [],
        "pods": [],
    }
    return Children(**{**empty, **kinds})


@pytest.mark.parametrize(
    ("status", "routes", "kept"),
    [
        pytest.param({"stable_revision": A}, Routes(), {A: 2}, id="stable is kept whole"),
        pytest.param(
            {"stable_revision": A, "candidate": views.candidate(Stage.STARTING)},
            Routes(),
            {A: 2, views.CANDIDATE: 2},
            id="a candidate is brought up",
        ),
        pytest.param({"stable_revision": A, "previous_revision": B}, Routes(), {A: 2, B: 0}, id="restorable, no pods"),
        pytest.param(
            {"stable_revision": A, "retiring": (Retiring(revision=B),)},
            Routes(),
            {A: 2, B: 2},
            id="warm without an end",
        ),
        pytest.param(
            {"stable_revision": A, "retiring": (Retiring(revision=B, delete_at=SOON),)},
            Routes(),
            {A: 2, B: 2},
            id="warm until its end",
        ),
        pytest.param(
            {"stable_revision": A, "retiring": (Retiring(revision=B, delete_at=NOW),)},
            Routes(),
            {A: 2, B: 0},
            id="no pods from its end on",
        ),
        pytest.param(
            {"stable_revision": A, "previous_revision": B, "retiring": (Retiring(revision=B, delete_at=SOON),)},
            Routes(),
            {A: 2, B: 2},
            id="restorable and still warm",
        ),
        pytest.param({"stable_revision": A}, Routes(stable=B), {A: 2, B: 2}, id="whatever a route leads to is whole"),
        pytest.param(
            {"stable_revision": A, "retiring": (Retiring(revision=B, delete_at=NOW),)},
            Routes(holdout=views.granted(revision=B)),
            {A: 2, B: 2},
            id="a route is stronger than an end",
        ),
        pytest.param({}, Routes(), {}, id="nothing yet"),
    ],
)
def test_what_is_kept(status: dict[str, Any], routes: Routes, kept: dict[str, int]) -> None:
    assert replicas_by_revision(views.spec(), ModelRolloutStatus(**status), routes, NOW) == kept


def test_templates_are_found_on_record() -> None:
    found = templates_on_record(
        children(
            controller_revisions=[
                child("ControllerRevision", A, data={"template": template("http")}),
                child("ControllerRevision", B),
                child("ControllerRevision", B, data={}),
            ]
        )
    )
    assert found == {A: template("http")}


def test_records_of_another_making_are_passed_over() -> None:
    foreign = child("ControllerRevision", None, data={"template": template("http")})
    assert templates_on_record(children(controller_revisions=[foreign])) == {}


@pytest.mark.parametrize(
    ("kept", "templates", "expected"),
    [
        pytest.param(
            {A: 2},
            {A: template("http")},
            {A: Backend(A, f"ranker-{A}.recs.svc.cluster.local", 8080, None)},
            id="by the name of its Service",
        ),
        pytest.param(
            {A: 2},
            {A: template("http", "grpc")},
            {A: Backend(A, f"ranker-{A}.recs.svc.cluster.local", 8080, 8081)},
            id="gRPC on a port of its own",
        ),
        pytest.param({A: 0}, {A: template("http")}, {}, id="not without pods"),
        pytest.param({A: 2}, {}, {}, id="not without a template"),
        pytest.param({A: 2}, {A: template("grpc")}, {}, id="not without a port named http"),
    ],
)
def test_how_revisions_are_reached(
    kept: Mapping[str, int], templates: Mapping[str, Any], expected: Mapping[str, Backend]
) -> None:
    assert backends(ROLLOUT, kept, templates, "cluster.local") == expected


def test_the_record_is_applied_first_so_that_no_template_is_lost() -> None:
    effects = list(applied(ROLLOUT, {B: 0, A: 2, "unknown004": 2}, {A: template("http"), B: template("http")}))
    made = [effect.manifest for effect in effects if isinstance(effect, Apply)]
    assert [obj["kind"] for obj in made] == ["ControllerRevision", "Service", "Deployment"] * 2
    assert [obj["spec"]["replicas"] for obj in made if obj["kind"] == "Deployment"] == [0, 2]
    assert {obj["metadata"]["name"] for obj in made} == {f"ranker-{A}", f"ranker-{B}"}


def test_what_is_no_longer_kept_is_deleted_and_its_record_last() -> None:
    found = children(
        controller_revisions=[child("ControllerRevision", B), child("ControllerRevision", A)],
        deployments=[child("Deployment", B), child("Deployment", A)],
        services=[child("Service", B), child("Service", None), child("Service", B, rollout="other")],
    )
    gone = [effect.ref for effect in deleted(ROLLOUT, {A: 2}, found) if isinstance(effect, Delete)]
    assert [(ref.kind, ref.name, ref.uid) for ref in gone] == [
        ("Deployment", f"ranker-{B}", f"Deployment-{B}"),
        ("Service", f"ranker-{B}", f"Service-{B}"),
        ("ControllerRevision", f"ranker-{B}", f"ControllerRevision-{B}"),
    ]
