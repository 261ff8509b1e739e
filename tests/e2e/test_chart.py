"""The chart on a real node: everything becomes ready under Pod Security "restricted", and goes away again."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dev.cluster.waiting import NotYetError, wait_for
from dev.demo.kube import SYSTEM, Kube
from dev.demo.show import Show
from dev.demo.staging import CHART, raise_stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),  # the first run on a machine builds Kubernetes and the images
    pytest.mark.skipif(os.geteuid() != 0, reason="a node without a container engine needs root"),
]

NAME = "crossfade-chart"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def kube() -> Iterator[Kube]:
    """A cluster of its own with the chart installed into a namespace that admits restricted pods only."""
    cluster = Kube(NAME)
    cluster.backend.up()
    try:
        cluster.kubectl("create", "namespace", SYSTEM)
        cluster.kubectl("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")
        raise_stage(cluster, Show())
        yield cluster
    finally:
        cluster.backend.down()


@pytest.fixture
def get(kube: Kube) -> Callable[..., Json]:
    def call(*arguments: str) -> Json:
        found: Json = json.loads(kube.kubectl("get", "--namespace", SYSTEM, "--output", "json", *arguments))
        return found

    return call


def _ask(port: int, path: str) -> Json:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        found: Json = json.load(answer)
        return found


def test_every_part_is_ready_and_none_was_restarted(get: Callable[..., Json]) -> None:
    pods = {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for pod in get("pods")["items"]}
    assert pods.keys() == {"serving", "learning", "analyzer", "prometheus"}
    for name, pod in pods.items():
        (status,) = pod["status"]["containerStatuses"]
        assert (status["ready"], status["restartCount"]) == (True, 0), name


def test_the_analyzer_holds_no_token(get: Callable[..., Json]) -> None:
    (pod,) = get("pods", "--selector", "app.kubernetes.io/component=analyzer")["items"]
    mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
    assert sorted(mounts) == ["/tmp", "/var/lib/crossfade"]


def test_one_controller_leads_on_each_side(get: Callable[..., Json]) -> None:
    def led() -> dict[str, str]:
        holders = {
            lease["metadata"]["name"]: lease["spec"].get("holderIdentity") or "" for lease in get("leases")["items"]
        }
        if len(holders) < 2 or not all(holders.values()):
            raise NotYetError(f"holders {holders}")
        return holders

    holders = wait_for("both controllers to lead", led, timeout=60)
    assert holders.keys() == {"crossfade-serving", "crossfade-learning"}
    assert all(holder.startswith(f"{lease}-") for lease, holder in holders.items()), holders


def test_prometheus_scrapes_controllers_and_analyzer(kube: Kube) -> None:
    with kube.forwarding("crossfade-prometheus", 9090, SYSTEM) as port:

        def scraped() -> None:
            found = _ask(port, "/api/v1/targets?state=active")["data"]["activeTargets"]
            up = sorted(target["labels"]["pod"].split("-")[1] for target in found if target["health"] == "up")
            if up != ["analyzer", "learning", "serving"]:
                raise NotYetError(f"healthy targets {up}, all: {[target['scrapeUrl'] for target in found]}")

        wait_for("all three to be scraped", scraped, timeout=60, interval=1.0)


def test_the_analyzer_answers_where_the_controller_is_told_to_ask(kube: Kube, get: Callable[..., Json]) -> None:
    environment = get("deployment", "crossfade-serving")["spec"]["template"]["spec"]["containers"][0]["env"]
    (url,) = [entry["value"] for entry in environment if entry["name"] == "CROSSFADE_ANALYZER_URL"]
    assert url == f"http://crossfade-analyzer.{SYSTEM}.svc"
    with kube.forwarding("crossfade-analyzer", 80, SYSTEM) as port:
        assert _ask(port, "/openapi.json")["info"]["title"]


def test_an_uninstall_leaves_only_the_kinds_and_it_can_be_installed_again(kube: Kube, get: Callable[..., Json]) -> None:
    kube.helm("uninstall", "crossfade", "--namespace", SYSTEM, "--wait")
    assert get("all")["items"] == []
    assert "modelrollouts" in kube.kubectl("api-resources", "--api-group", "crossfade.dev", "--output", "name")
    raise_stage(kube, Show())
    assert CHART.name in kube.helm("list", "--namespace", SYSTEM)
