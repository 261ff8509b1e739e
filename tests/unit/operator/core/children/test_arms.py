"""The Services of arms: found by the pods' labels, owned by the endpoint, read back as what routers reach."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.api.experiment_status import RequestedArm
from crossfade_operator.core.children.arms import applied, asked_for, deleted, existing, service
from crossfade_operator.core.children.router import Owner
from crossfade_operator.core.effects import Apply, Delete
from crossfade_operator.core.experiment.arms import selector
from crossfade_operator.core.ledger import Request

OWNER = Owner("recs", "ranker", "uid-1")
DOMAIN = "cluster.local"
REVISION = "aaaaaaaaaa"


def arm(name: str = "control", experiment: str = "taste", **fields: Any) -> RequestedArm:
    usual = {"name": name, "label": f"{experiment}.{name}", "weight": 1, "revision": REVISION, "http_port": 8080}
    return RequestedArm(**{**usual, **fields})


def request(*arms: RequestedArm) -> Request:
    return Request("Experiment/taste", "taste/1", 100, arms)


def test_a_service_selects_the_arms_own_pods() -> None:
    made = service(OWNER, arm(grpc_port=9000))
    assert made["spec"] == {
        "clusterIP": "None",
        "selector": selector("taste", "control", REVISION),
        "ports": [
            {"name": "http", "port": 8080, "targetPort": "http"},
            {"name": "grpc", "port": 9000, "targetPort": "grpc"},
        ],
    }
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    assert made["metadata"]["labels"]["crossfade.dev/endpoint"] == "ranker"
    assert len(made["metadata"]["name"]) <= 63


def test_namesakes_across_experiments_are_told_apart() -> None:
    first, second = (service(OWNER, one) for one in (arm("c", "a-b"), arm("b-c", "a")))
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert len(asked_for([request(arm("c", "a-b"), arm("b-c", "a"))], "recs", DOMAIN)) == 2


@pytest.mark.parametrize("grpc", [None, 9000])
def test_what_is_asked_for_is_found_again_in_its_service(grpc: int | None) -> None:
    asked = asked_for([request(arm(grpc_port=grpc))], "recs", DOMAIN)
    assert existing([service(OWNER, arm(grpc_port=grpc))], DOMAIN) == asked
    (backend,) = asked.values()
    assert (backend.served, backend.http_port, backend.grpc_port) == (f"taste.control.{REVISION}", 8080, grpc)
    assert backend.host.endswith(".recs.svc.cluster.local")


def test_what_is_no_arms_service_is_left_alone() -> None:
    other = service(OWNER, arm())
    other["metadata"]["labels"]["crossfade.dev/component"] = "revision"
    bare = service(OWNER, arm())
    del bare["metadata"]["labels"]["crossfade.dev/arm"]
    assert existing([other, bare], DOMAIN) == {}
    assert list(deleted([other, bare], set(), DOMAIN)) == []


def test_every_arm_gets_one_and_those_that_the_table_knows_stay() -> None:
    asked = request(arm(), arm("treatment"))
    made = [effect.manifest for effect in applied(OWNER, [asked]) if isinstance(effect, Apply)]
    assert len(made) == 2
    services = [{**one, "metadata": {**one["metadata"], "uid": "u"}} for one in made]
    known = set(asked_for([request(arm())], "recs", DOMAIN))
    (gone,) = deleted(services, known, DOMAIN)
    assert isinstance(gone, Delete)
    assert gone.ref.name == service(OWNER, arm("treatment"))["metadata"]["name"]
