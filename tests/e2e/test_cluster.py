"""The local node, from nothing to nothing: what a developer does with it, and that it leaves no trace.

Only the node without a container engine is tested here; where an engine runs, kind is tested by its own project.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.cluster.cgroups import MOUNT, group_name
from dev.cluster.images import reference
from dev.cluster.paths import REPOSITORY, ClusterPaths
from dev.cluster.processes import ProcessTable, identity_of
from dev.cluster.waiting import NotYetError, wait_for

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),  # the first run on a machine builds Kubernetes
    pytest.mark.skipif(os.geteuid() != 0, reason="a node without a container engine needs root"),
]

NAME = "crossfade-test"
IMAGE = "crossfade-router"  # its base has Python, and nothing of it changes from day to day

RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Trace:
    """What a cluster could leave on the machine."""

    mounts: frozenset[str]
    packet_filter: str

    @classmethod
    def taken(cls) -> "Trace":
        rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
        # Comments hold the time of the listing.
        kept = [line for line in rules.splitlines() if not line.startswith("#")]
        return cls(frozenset(Path("/proc/self/mounts").read_text().splitlines()), "\n".join(kept))


def cluster(*arguments: str, stdin: str | None = None) -> str:
    """Run a verb, and return what it prints; its progress is shown when the test fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dev.cluster", "--name", NAME, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "CROSSFADE_CLUSTER": "node"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"$ cluster {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    return cluster("kubectl", *arguments, stdin=stdin)


def apply(*manifests: dict[str, object]) -> None:
    kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


def processes_of_the_node() -> list[int]:
    """Every process in the node's process namespace, found without the records that the cluster keeps."""
    holder = ProcessTable(ClusterPaths(NAME).processes, ClusterPaths(NAME).logs).running("node")
    assert holder is not None
    namespace = Path(f"/proc/{holder.pid}/ns/pid_for_children").readlink()
    return [pid for pid in all_processes() if namespace_of(pid) == namespace]


def all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def namespace_of(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        return None


def groups_of_the_node() -> list[Path]:
    name = group_name(NAME).lstrip("/")
    return [*MOUNT.glob(name), *MOUNT.glob(f"*/{name}")]


def processes_of_containers() -> list[int]:
    """Containers have process namespaces of their own, but all are in the node's control groups."""
    files = [file for group in groups_of_the_node() for file in group.rglob("cgroup.procs")]
    return sorted({int(pid) for file in files for pid in file.read_text().split()})


@pytest.fixture(scope="module")
def before() -> Trace:
    cluster("down")  # what an interrupted run may have left
    return Trace.taken()


@pytest.fixture(scope="module")
def up(before: Trace) -> Iterator[None]:
    cluster("up")
    yield
    cluster("down")


@pytest.fixture(scope="module")
def image(up: None) -> str:
    cluster("load-image", IMAGE)
    return reference(IMAGE)


@pytest.fixture(scope="module")
def server(image: str) -> str:
    """A web server in a namespace that takes only restricted pods, behind a Service; the namespace's name."""
    labels = {"app": "server"}
    container = {
        "name": "http",
        "image": image,
        "command": ["python3", "-m", "http.server", "--directory", "/data", "8000"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "securityContext": {"fsGroup": 65532},
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    namespace = {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
    inside = {"namespace": "strict"}
    apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", **inside}, "spec": claim},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "server", **inside},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "server", **inside},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
        },
    )
    kubectl("--namespace", "strict", "rollout", "status", "deployment/server", "--timeout", "90s")
    return "strict"


def run_python(namespace: str, program: str) -> str:
    return kubectl("--namespace", namespace, "exec", "deployment/server", "--", "python3", "-c", program)


def test_up_is_ready_and_a_second_up_changes_nothing(up: None) -> None:
    processes = processes_of_the_node()
    kubeconfig = Path(cluster("kubeconfig").strip()).read_text()
    cluster("up")
    assert Path(cluster("kubeconfig").strip()).read_text() == kubeconfig
    assert set(processes) <= set(processes_of_the_node())
    assert "Ready" in kubectl("get", "nodes", "--no-headers")
    assert "is up" in cluster("status")


def test_up_starts_again_what_has_ended(up: None) -> None:
    table = ProcessTable(ClusterPaths(NAME).processes, ClusterPaths(NAME).logs)
    table.stop("api-forward")
    cluster("up")
    assert "Ready" in kubectl("get", "nodes", "--no-headers")


def test_a_restricted_pod_runs_and_writes_to_a_volume_of_the_default_class(server: str) -> None:
    run_python(server, "open('/data/written', 'w').write('by a restricted pod')")
    assert run_python(server, "import os; print(os.getuid())").strip() == "65532"


def test_a_service_is_reached_by_its_name_also_by_the_pod_behind_it(server: str) -> None:
    fetch = (
        "import urllib.request as r\n"
        "try: print(r.urlopen('http://server.strict.svc.cluster.local/', timeout=5).status)\n"
        "except OSError as error: print(error)"
    )

    def answered() -> None:
        if (seen := run_python(server, fetch).strip()) != "200":
            raise NotYetError(seen)

    wait_for("the Service to be programmed and the server behind it to listen", answered, timeout=30)


def test_names_outside_the_cluster_are_refused_at_once(server: str) -> None:
    ask = "import socket\ntry: socket.gethostbyname('example.com')\nexcept socket.gaierror: print('refused')"
    assert run_python(server, ask).strip() == "refused"


def test_pods_reach_the_api_server_by_their_token(server: str) -> None:
    ask = (
        "import ssl, urllib.request as r; d = '/var/run/secrets/kubernetes.io/serviceaccount/';"
        "bearer = {'Authorization': 'Bearer ' + open(d + 'token').read()};"
        "q = r.Request('https://kubernetes.default.svc/version', headers=bearer);"
        "print(r.urlopen(q, context=ssl.create_default_context(cafile=d + 'ca.crt'), timeout=5).status)"
    )
    assert run_python(server, ask).strip() == "200"


def test_an_unchanged_image_is_loaded_once(image: str) -> None:
    record = ClusterPaths(NAME).root / "images.json"
    loaded = record.read_text()
    cluster("load-image", IMAGE)
    assert record.read_text() == loaded


def test_a_node_that_was_killed_comes_back_with_its_data(server: str) -> None:
    run_python(server, "open('/data/kept', 'w').write('from before')")
    ProcessTable(ClusterPaths(NAME).processes, ClusterPaths(NAME).logs).stop("node", grace=0)
    cluster("up")

    def kept() -> None:
        try:
            content = run_python(server, "print(open('/data/kept').read())")
        except AssertionError as refused:
            raise NotYetError(str(refused)) from refused
        assert content.strip() == "from before"

    wait_for("the pod to run again", kept, timeout=120, interval=1)


def _answered(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200
    except OSError as failed:
        raise NotYetError(str(failed)) from failed


def test_a_service_is_forwarded_to_loopback_until_the_command_ends(server: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dev.cluster", "--name", NAME, "forward", "svc/server", "80", "-n", server],
        cwd=REPOSITORY,
        env={**os.environ, "CROSSFADE_CLUSTER": "node"},
        stdout=subprocess.PIPE,
        text=True,
    ) as forward:
        try:  # whatever fails in here, leaving the block waits for the command, which never ends by itself
            assert forward.stdout is not None
            url = forward.stdout.readline().split()[0]
            assert url.startswith("http://127.0.0.1:")
            wait_for("an answer through the forwarded port", lambda: _answered(url), timeout=60, interval=1)
        finally:
            forward.terminate()
    assert forward.returncode == 0

    def refused() -> None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                raise NotYetError(f"status {answer.status}")
        except urllib.error.URLError:
            return

    wait_for("the forwarded port to be closed", refused, timeout=5)


def test_down_leaves_nothing_and_may_be_repeated(server: str, before: Trace) -> None:
    node, containers = processes_of_the_node(), processes_of_containers()
    assert len(node) >= 8  # the init, etcd, containerd and the five programs of Kubernetes
    assert len(containers) >= 4  # two pods, each with its pause container
    identities = {pid: identity_of(pid) for pid in (*node, *containers)}
    cluster("down")
    assert [pid for pid, identity in identities.items() if identity and identity_of(pid) == identity] == []
    assert groups_of_the_node() == []
    assert Trace.taken() == before
    assert not ClusterPaths(NAME).root.exists()
    cluster("down")
