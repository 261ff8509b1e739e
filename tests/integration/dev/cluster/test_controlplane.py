"""The control plane on loopback is a real one, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

from dev.cluster.controlplane import ControlPlane, LoopbackControlPlane
from dev.cluster.processes import ProcessTable
from dev.cluster.programs import Programs
from dev.cluster.waiting import NotYetError, wait_for

pytestmark = pytest.mark.integration

START_AND_HANG = """
import sys, threading
from pathlib import Path
from dev.cluster.controlplane import LoopbackControlPlane
from dev.cluster.programs import Programs

LoopbackControlPlane(Programs.cached(), Path(sys.argv[1])).start()
print("ready", flush=True)
threading.Event().wait()
"""


def table(folder: Path) -> ProcessTable:
    return ProcessTable(folder / "processes", folder / "logs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plane")


@pytest.fixture(scope="module")
def plane(folder: Path) -> Iterator[ControlPlane]:
    loopback = LoopbackControlPlane(Programs.cached(), folder)
    yield loopback.start()
    started = [record.pid for record in table(folder).records()]
    loopback.stop()
    assert len(started) == 3
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(config_file=str(plane.kubeconfig)) as connected:
        yield connected


def test_it_tells_the_version_that_the_module_pins(api: client.ApiClient) -> None:
    assert client.VersionApi(api).get_code().git_version == Programs.cached().kubernetes_version


def test_a_deployment_gets_its_pods_though_no_node_runs_them(api: client.ApiClient) -> None:
    labels = {"app": "probe"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "localhost/none:1"}]}}
    deployment = {
        "metadata": {"name": "probe"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod},
    }
    client.AppsV1Api(api).create_namespaced_deployment("default", deployment)

    def two_pending_pods() -> None:
        pods = client.CoreV1Api(api).list_namespaced_pod("default", label_selector="app=probe").items
        phases = [found.status.phase for found in pods]
        if phases != ["Pending", "Pending"]:
            raise NotYetError(f"pods in phases {phases}")

    wait_for("two pending pods", two_pending_pods, timeout=30)


def test_validating_admission_policies_are_served(api: client.ApiClient) -> None:
    client.AdmissionregistrationV1Api(api).list_validating_admission_policy()


def test_pod_security_refuses_a_privileged_pod_in_a_restricted_namespace(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": "strict", "labels": enforce}})

    def refused() -> None:
        pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "main", "image": "localhost/none:1"}]}}
        with pytest.raises(client.ApiException) as failure:
            core.create_namespaced_pod("strict", pod)
        if "violates PodSecurity" not in failure.value.body:
            raise NotYetError(failure.value.body)  # the namespace's service account takes a moment

    wait_for("a refusal by Pod Security", refused, timeout=30)


def test_a_deleted_namespace_goes_away_with_what_is_in_it(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": "brief"}})
    core.create_namespaced_config_map("brief", {"metadata": {"name": "content"}})
    core.delete_namespace("brief")

    def gone() -> None:
        names = [found.metadata.name for found in core.list_namespace().items]
        if "brief" in names:
            raise NotYetError(f"namespaces {names}")

    wait_for("the namespace to go", gone, timeout=60)


def test_nothing_outlives_a_killed_test_run(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_HANG, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        records = table(tmp_path).records()
        assert [record.alive for record in records] == [True, True, True]
        os.kill(parent.pid, signal.SIGKILL)

    def all_ended() -> None:
        if alive := [record.name for record in records if record.alive]:
            raise NotYetError(f"{alive} alive")

    wait_for("the end of all processes", all_ended, timeout=10)
