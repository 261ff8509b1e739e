"""Experiments, reviews and decisions on a real API server; an analyzer behind its service proxy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from kubernetes import client

from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.store.files import exported
from crossfade_analyzer.verification import verify
from crossfade_operator.cli.client import KubernetesCluster, Refused
from crossfade_operator.cli.main import run
from crossfade_operator.cli.problem import Problem
from crossfade_operator.core.rollout.records import plan_hash
from dev.cluster.controlplane import ControlPlane
from dev.cluster.waiting import NotYetError, wait_for
from tests.fakes.judged import SUBJECT, judge_a_failing_candidate, plan_of_it, results_of
from tests.integration.cli.conftest import GROUP, ROOT, VERSION, Command

pytestmark = pytest.mark.integration

ANALYZER = Path(sys.executable).with_name("crossfade-analyzer")
EXAMPLES = ROOT / "examples" / "experiment"
REVIEWER = "bo@example.com"
Store = Callable[..., dict[str, Any]]
Answers = dict[str, Any]


@pytest.fixture
def create(kinds: client.CustomObjectsApi, namespace: str) -> Store:
    """Stores a manifest, and its status as a controller would write it."""

    def store(manifest: dict[str, Any], **status: Any) -> dict[str, Any]:
        plural = f"{manifest['kind'].lower()}s"
        manifest["metadata"].pop("namespace", None)
        made = kinds.create_namespaced_custom_object(GROUP, VERSION, namespace, plural, manifest)
        if status:
            name = manifest["metadata"]["name"]
            status["observedGeneration"] = made["metadata"]["generation"]
            made = kinds.patch_namespaced_custom_object_status(
                GROUP, VERSION, namespace, plural, name, {"status": status}
            )
        return dict(made)

    return store


def _examples(*names: str) -> list[dict[str, Any]]:
    texts = [(EXAMPLES / name).read_text() for name in names]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


@pytest.fixture
def experiment(create: Store) -> Callable[..., dict[str, Any]]:
    """The example's endpoint, metrics and experiment, with the statuses given."""

    def store(**status: Any) -> dict[str, Any]:
        for manifest in _examples("endpoint.yaml"):
            create(manifest)
        (manifest,) = [one for one in _examples("ab.yaml") if one["kind"] == "Experiment"]
        return create(manifest, **status)

    return store


@pytest.fixture
def stored(kinds: client.CustomObjectsApi, namespace: str) -> Callable[..., dict[str, Any]]:
    def get(plural: str, name: str) -> dict[str, Any]:
        return dict(kinds.get_namespaced_custom_object(GROUP, VERSION, namespace, plural, name))

    return get


@pytest.fixture(scope="session")
def reviewer(kubernetes_client: client.ApiClient) -> str:
    """Another person who may do everything, to be acted as."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": REVIEWER}
    body = {"metadata": {"name": "a-reviewer"}, "roleRef": role, "subjects": [subject]}
    client.RbacAuthorizationV1Api(kubernetes_client).create_cluster_role_binding(body)
    return REVIEWER


@pytest.fixture
def analyzer(kubernetes_client: client.ApiClient, control_plane: ControlPlane, namespace: str) -> Iterator[Answers]:
    """A Service labelled as the chart labels it; its pod is a server of this process, which gives these answers."""
    answers: Answers = {}
    address = _own_address()
    http = ThreadingHTTPServer((address, 0), _handler(answers))
    thread = Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    core = client.CoreV1Api(kubernetes_client)
    labels = {"app.kubernetes.io/part-of": "crossfade", "app.kubernetes.io/component": "analyzer"}
    ports = [{"name": "http", "port": 80}]
    service = {"metadata": {"name": "judge", "labels": labels}, "spec": {"ports": ports}}
    core.create_namespaced_service(namespace, service)
    pod = {
        "metadata": {"name": "judge", "labels": labels},
        "spec": {"containers": [{"name": "judge", "image": "none"}]},
    }
    core.create_namespaced_pod(namespace, pod)
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}
    core.patch_namespaced_pod_status("judge", namespace, {"status": status})
    target = {"ip": address, "targetRef": {"kind": "Pod", "namespace": namespace, "name": "judge"}}
    subset = {"addresses": [target], "ports": [{"name": "http", "port": http.server_address[1]}]}
    core.create_namespaced_endpoints(namespace, {"metadata": {"name": "judge"}, "subsets": [subset]})
    _wait_until_reached(KubernetesCluster(str(control_plane.kubeconfig)), f"{namespace}/judge")
    yield answers
    core.delete_namespaced_pod("judge", namespace, grace_period_seconds=0)
    core.delete_namespaced_service("judge", namespace)
    http.shutdown()
    http.server_close()
    thread.join()


def _wait_until_reached(cluster: KubernetesCluster, service: str) -> None:
    """The API server hears of a new Service a little later."""

    def reached() -> None:
        try:
            cluster.ask(service, "GET", "/nothing")
        except Refused:
            return
        except Problem as problem:
            raise NotYetError(str(problem)) from problem

    wait_for("the Service to be proxied", reached, timeout=30)


def _own_address() -> str:
    """One that a Service may lead to: the API server refuses loopback addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found = str(probe.getsockname()[0])
        except OSError:
            found = "127.0.0.1"
    if found.startswith("127."):
        pytest.skip("this machine has no address but loopback; the proxy is tested in tests/unit/operator/cli too")
    return found


def _handler(answers: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = (200, answers[self.path]) if self.path in answers else (404, {"title": "Unknown"})
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def test_get_shows_what_is_stored(command: Command, experiment: Callable[..., Any]) -> None:
    experiment(run=1, phase="InReview", reason="ApprovalMissing", message="0 of 1 approvals")
    code, page = command("get", "exp/new-ranker")
    assert code == 0
    assert "ApprovalMissing: 0 of 1 approvals" in page
    assert command("get", "exp")[1].splitlines()[1].split()[:3] == ["new-ranker", "ranker", "InReview"]


def test_a_plan_comes_from_the_analyzer_through_the_api_server(
    command: Command, experiment: Callable[..., Any], analyzer: Answers
) -> None:
    experiment()
    metric = {"metric": "plays", "role": "Success", "holds": True, "message": "", "requiredSample": 12_345, "days": 1.5}
    analyzer["/v1/experiments/plans"] = {
        "feasible": True, "refusals": [], "notes": [], "requiredSample": 12_345, "days": 2, "metrics": [metric],
    }  # fmt: skip
    code, page = command("plan", "exp/new-ranker")
    assert code == 0, page
    assert "about 2 days: 12,345 units over all arms" in page
    del analyzer["/v1/experiments/plans"]
    code, page = command("plan", "exp/new-ranker")
    assert code == 4
    assert "answered 404: Unknown" in page


def test_a_draft_is_started_and_stopped(
    command: Command, experiment: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    experiment()
    assert command("start", "exp/new-ranker")[0] == 0
    assert stored("experiments", "new-ranker")["spec"]["desiredState"] == "Running"
    assert command("stop", "exp/new-ranker")[0] == 0
    assert stored("experiments", "new-ranker")["spec"]["desiredState"] == "Stopped"


def test_times_that_two_people_leave_out_are_both_kept(
    command: Command, experiment: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    experiment(run=1, phase="Running")
    for number in (1, 2):
        times = ("--from", f"2026-11-2{number}T10:00:00Z", "--to", f"2026-11-2{number}T11:00:00Z")
        assert command("exclude", "exp/new-ranker", *times, "-m", f"INC-{number}")[0] == 0
    reasons = [one["reason"] for one in stored("experiments", "new-ranker")["spec"]["exclusions"]]
    assert reasons == ["INC-1", "INC-2"]


def test_a_decision_is_in_the_callers_own_name(
    command: Command, experiment: Callable[..., Any], stored: Callable[..., Any], reviewer: str
) -> None:
    maker = experiment(run=1, phase="Stopped", recommendation="Abort")["spec"]["decisionMaker"]
    assert command("decide", "exp/new-ranker", "abort", "-m", "no effect", "--as", reviewer)[0] == 1
    assert command("decide", "exp/new-ranker", "abort", "-m", "no effect")[0] == 0
    decision = stored("experiments", "new-ranker")["spec"]["decision"]
    assert (decision["by"], decision["action"], decision["rationale"]) == (maker, "Abort", "no effect")


def test_a_review_is_stored_in_the_name_of_whoever_acts(
    command: Command, experiment: Callable[..., Any], stored: Callable[..., Any], reviewer: str
) -> None:
    experiment(run=1, phase="InReview", designHash="sha256:" + "de" * 32)
    code, out = command("approve", "exp/new-ranker", "--as", reviewer)
    assert code == 0
    name = out.split()[2].rstrip(":")
    assert stored("reviews", name)["spec"]["reviewer"] == reviewer
    code, out = command("dissent", "exp/new-ranker", "-m", "plays are not listening time", "-o", "yaml")
    assert yaml.safe_load(out)["spec"]["verdict"] == "Dissent"
    assert "Dissent by kubernetes-admin" in command("plan", "exp/new-ranker")[1]


def test_a_promotion_says_who_asked_for_it(
    command: Command, create: Store, stored: Callable[..., Any], reviewer: str
) -> None:
    documents = yaml.safe_load_all((ROOT / "examples" / "smallest.yaml").read_text())
    (manifest,) = [document for document in documents if document["kind"] == "ModelRollout"]
    name = manifest["metadata"]["name"]
    candidate = {"revision": "kx7wq2m9bc", "stage": "Analyzing", "startedAt": "2026-11-22T10:00:00Z",
                 "deadlineAt": "2026-11-22T10:10:00Z"}  # fmt: skip
    create(manifest, phase="Progressing", candidateRevision="kx7wq2m9bc", candidate=candidate)
    assert command("promote", name, "--emergency", "-m", "INC-7", "--as", reviewer)[0] == 0
    annotations = stored("modelrollouts", name)["metadata"]["annotations"]
    assert annotations["crossfade.dev/requested-by"] == reviewer
    assert annotations["crossfade.dev/rationale"] == "INC-7"
    assert ":emergency:" in annotations["crossfade.dev/promote"]


@pytest.fixture
def recorded(create: Store, analyzer: Answers, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A rollback and the start before it, the rollback with evidence in the analyzer's store."""
    store = Evidence(f"sqlite:///{tmp_path / 'evidence.db'}")
    store.migrate()
    judged = judge_a_failing_candidate(store)
    digest = judged.digest or ""
    entry = store.find(digest)
    assert entry is not None
    analyzer["/v1/verifications"] = verify(store, digest).model_dump(mode="json", by_alias=True)
    analyzer[f"/v1/evidence/{digest}"] = exported(store, entry).model_dump(mode="json", by_alias=True)
    subject = {"kind": "ModelRollout", "name": "ranker", "uid": "6a1f", "revision": "kx7wq2m9bc", "attempt": 1}
    common = {"subject": subject, "endpoint": "ranker", "actor": "rollout@1", "rule": "rollout@1",
              "basis": "Evidence", "retainUntil": "2028-11-22T10:00:00Z"}  # fmt: skip
    for number, action, more in (
        (1, "Start", {"reason": "NewTemplate"}),
        (2, "Rollback", {
            "reason": "EvidenceOfHarm",
            "recommendation": "Rollback",
            "evidence": {"digest": digest, "locator": SUBJECT},
            "results": results_of(judged),
            "designHash": plan_hash(plan_of_it()),
        }),
    ):  # fmt: skip
        spec = {**common, "action": action, "at": f"2026-11-22T10:0{number}:00Z", **more}
        manifest = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Decision", "spec": spec}
        made = create({**manifest, "metadata": {"name": f"ranker-00000{number}"}})
    yield made
    store.close()


@pytest.mark.usefixtures("recorded")
def test_decisions_are_selected_explained_and_compared(command: Command) -> None:
    lines = command("decisions", "--rollout", "ranker")[1].splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["ranker-000002", "ranker-000001"]
    assert len(command("decisions", "--action", "start", "--endpoint", "ranker")[1].splitlines()) == 2
    assert command("decisions", "--experiment", "ranker")[0] == 1
    assert "error-rate · Guardrail · Harmful" in command("explain", "rollout/ranker")[1]
    code, out = command("diff", "ranker-000001", "ranker-000002")
    assert code == 1
    assert "action: Start → Rollback" in out


def test_the_role_in_the_docs_is_what_asking_takes(
    kubernetes_client: client.ApiClient, control_plane: ControlPlane, namespace: str, analyzer: Answers
) -> None:
    analyzer["/v1/evidence/x"] = {"answer": 42}
    asker = KubernetesCluster(str(control_plane.kubeconfig), namespace=namespace, acting_as="di@example.com")
    with pytest.raises(Problem, match="you may not ask the analyzer"):
        asker.ask(f"{namespace}/judge", "GET", "/v1/evidence/x")
    text = (ROOT / "docs" / "kubectl-plugin.md").read_text()
    (role,) = [
        one for block in text.split("```yaml\n")[1:] if (one := yaml.safe_load(block.split("```")[0]))["kind"] == "Role"
    ]
    role["metadata"]["namespace"] = namespace
    role["rules"][0]["resourceNames"] = ["judge:http"]
    rbac = client.RbacAuthorizationV1Api(kubernetes_client)
    rbac.create_namespaced_role(namespace, role)
    group = "rbac.authorization.k8s.io"
    rbac.create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": "asker"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role["metadata"]["name"]},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "di@example.com"}],
        },
    )
    assert wait_for("the role to be in force", lambda: _allowed(asker, namespace), timeout=30) == {"answer": 42}
    with pytest.raises(Problem, match="you may not ask the analyzer"):
        asker.ask(f"{namespace}/other", "GET", "/v1/evidence/x")


def _allowed(asker: KubernetesCluster, namespace: str) -> Any:
    try:
        return asker.ask(f"{namespace}/judge", "GET", "/v1/evidence/x")
    except Problem as problem:
        raise NotYetError(str(problem)) from problem


@pytest.mark.usefixtures("recorded")
def test_a_decision_is_verified_here_and_its_export_anywhere(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(ANALYZER.parent))
    assert command("verify", "decision/ranker-000002")[0] == 0
    path = tmp_path / "decision.json"
    assert command("export", "decision/ranker-000002", "-o", str(path))[0] == 0
    assert subprocess.run([ANALYZER, "verify", str(path)], check=False, capture_output=True).returncode == 0
    assert run(["verify", str(path)]) == 0
    assert "verified: decision ranker-000002" in capsys.readouterr().out

    content = json.loads(path.read_text())
    content["evidence"]["entries"][2]["body"]["step"] += 1
    path.write_text(json.dumps(content))
    assert run(["verify", str(path)]) == 1
    assert "the content was changed" in " ".join(capsys.readouterr().out.split())
