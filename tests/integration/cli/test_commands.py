"""The plugin against a real API server and the real kinds, with statuses as the controller writes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from crossfade_operator.cli.main import run
from dev.cluster.controlplane import ControlPlane

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
STABLE, CANDIDATE = "p4rtz8vnd5", "kx7wq2m9bc"
GROUP, VERSION, PLURAL = "crossfade.dev", "v1alpha1", "modelrollouts"

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def rollout(kinds: client.CustomObjectsApi, namespace: str) -> Callable[..., dict[str, Any]]:
    """Writes the status of the smallest example's rollout, as the controller would."""
    documents = yaml.safe_load_all((ROOT / "examples" / "smallest.yaml").read_text())
    (manifest,) = [document for document in documents if document["kind"] == "ModelRollout"]
    manifest["metadata"].pop("namespace", None)
    kinds.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, manifest)
    name = manifest["metadata"]["name"]

    def write(**status: Any) -> dict[str, Any]:
        found = kinds.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
        generation = found["metadata"]["generation"]
        patched: dict[str, Any] = kinds.patch_namespaced_custom_object_status(
            GROUP, VERSION, namespace, PLURAL, name, {"status": {"observedGeneration": generation, **status}}
        )
        return patched

    return write


def _in_mid_step(write: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return write(
        phase="Progressing",
        reason="Analyzing",
        stableRevision=STABLE,
        candidateRevision=CANDIDATE,
        step=1,
        steps=3,
        slice="1%",
        candidate={
            "revision": CANDIDATE,
            "stage": "Analyzing",
            "startedAt": "2026-11-22T10:00:00.000000Z",
            "deadlineAt": "2026-11-22T10:10:00.000000Z",
        },
    )


def _stored(kinds: client.CustomObjectsApi, namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kinds.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
    return found


def test_get_shows_what_is_stored(command: Command, rollout: Callable[..., Any]) -> None:
    name = _in_mid_step(rollout)["metadata"]["name"]
    code, page = command("get", name)
    assert code == 0
    assert "Progressing · step 1/3 · 1% of the users" in page
    code, table = command("get")
    assert table.splitlines()[1].split()[0] == name


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_a_request_arrives_bound_to_the_candidate(
    command: Command, rollout: Callable[..., Any], kinds: client.CustomObjectsApi, namespace: str, verb: str
) -> None:
    name = _in_mid_step(rollout)["metadata"]["name"]
    assert command(verb, name)[0] == 0
    value = _stored(kinds, namespace, name)["metadata"]["annotations"][f"crossfade.dev/{verb}"]
    assert value.startswith(f"{CANDIDATE}:")


def test_pause_and_resume_are_admitted(
    command: Command, rollout: Callable[..., Any], kinds: client.CustomObjectsApi, namespace: str
) -> None:
    name = _in_mid_step(rollout)["metadata"]["name"]
    assert command("pause", name)[0] == 0
    assert _stored(kinds, namespace, name)["spec"]["paused"] is True
    assert command("resume", name)[0] == 0
    assert _stored(kinds, namespace, name)["spec"]["paused"] is False


def test_retry_names_the_failed_revision(
    command: Command, rollout: Callable[..., Any], kinds: client.CustomObjectsApi, namespace: str
) -> None:
    name = rollout(phase="RolledBack", stableRevision=STABLE, failedRevision=CANDIDATE)["metadata"]["name"]
    assert command("retry", name)[0] == 0
    value = _stored(kinds, namespace, name)["metadata"]["annotations"]["crossfade.dev/retry"]
    assert value.startswith(f"{CANDIDATE}:")


def test_an_unknown_name_lists_what_exists(
    command: Command, rollout: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name = _in_mid_step(rollout)["metadata"]["name"]
    assert command("get", "nobody")[0] == 1
    assert f"it has: {name}" in capsys.readouterr().err


def test_watch_follows_the_object_to_its_end(command: Command, rollout: Callable[..., Any]) -> None:
    name = _in_mid_step(rollout)["metadata"]["name"]
    result: list[tuple[int, str]] = []
    watching = threading.Thread(target=lambda: result.append(command("watch", name, "--until-done")), daemon=True)
    watching.start()
    rollout(phase="Holding", reason="MetricsUnavailable", message="Prometheus does not answer")
    rollout(phase="Promoted", reason="AllStepsProven", candidateRevision=None, candidate=None, step=0)
    watching.join(timeout=30)
    ((code, out),) = result
    assert code == 0
    assert out.splitlines()[-1].split("  ")[2] == "Promoted"


def test_json_is_what_the_api_server_holds(
    command: Command, rollout: Callable[..., Any], kinds: client.CustomObjectsApi, namespace: str
) -> None:
    name = _in_mid_step(rollout)["metadata"]["name"]
    assert json.loads(command("get", name, "-o", "json")[1]) == _stored(kinds, namespace, name)


def test_who_is_not_known_is_told_so(
    control_plane: ControlPlane, rollout: Callable[..., Any], namespace: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    kubeconfig = yaml.safe_load(Path(control_plane.kubeconfig).read_text())
    for entry in kubeconfig["users"]:
        entry["user"] = {"token": "nobody-knows-me"}
    unknown = tmp_path / "unknown"
    unknown.write_text(yaml.safe_dump(kubeconfig))
    assert run(["get", "--kubeconfig", str(unknown), "-n", namespace]) == 1
    said = capsys.readouterr().err
    assert "does not know who you are" in said
    assert "Traceback" not in said
