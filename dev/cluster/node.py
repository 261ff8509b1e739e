"""One Kubernetes node, with its control plane, in namespaces of its own: the cluster where no container engine runs."""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.cluster import cgroups, containerd, forward, nodeconfig, packages, storage, sysctls
from dev.cluster import pki as certificates
from dev.cluster.archive import write_program_image
from dev.cluster.backend import Component, Status
from dev.cluster.commands import run
from dev.cluster.controlplane import (
    ApiProbe,
    Ports,
    api_server_argv,
    controller_manager_argv,
    etcd_argv,
)
from dev.cluster.errors import ClusterError
from dev.cluster.kubeconfig import write_kubeconfig
from dev.cluster.kubectl import Kubectl
from dev.cluster.namespaces import ADDRESS, HOLDER, HOSTNAME, NodeNamespaces, end_namespaces, ensure_namespaces
from dev.cluster.nodestate import any_node_running, remove_tree, require_root
from dev.cluster.paths import REPOSITORY, ClusterPaths
from dev.cluster.pki import Pki, Subject, ensure_pki
from dev.cluster.processes import ProcessTable
from dev.cluster.programs import NODE, Programs
from dev.cluster.progress import step
from dev.cluster.waiting import NotYetError, wait_for

PORTS = Ports(etcd_client=2379, etcd_peer=2380, api_server=6443)
API_FORWARD = "api-forward"
COMPONENTS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("containerd", "kubelet", "kube-proxy"),
)
DNS_IMAGE = "localhost/crossfade-local/coredns:1"
MANIFESTS = Path(__file__).parent / "manifests"
READY_TIMEOUT = 120.0


@dataclass(frozen=True)
class Node:
    """A cluster of one node; see ``backend.Backend`` for what its verbs promise."""

    paths: ClusterPaths
    programs: Programs

    kind = "node"

    def up(self) -> None:
        require_root()
        packages.ensure(packages.NODE, purpose="a Kubernetes node")
        self.programs.ensure(NODE)
        with step("namespaces, control groups, certificates"):
            sysctls.remember()
            spaces = ensure_namespaces(self.table, self.paths)
            cgroups.ensure_groups(self.paths.name)
            self._write_configuration()
        with step("control plane"):
            self._start_control_plane(spaces)
        with step("node"):
            self._start_node(spaces)
            self._kubectl.wait_for_node(HOSTNAME, timeout=READY_TIMEOUT)
        with step("cluster DNS and volumes"):
            self._apply_addons()
            self._await_dns(spaces)

    def down(self) -> None:
        if not self.paths.root.exists():
            return
        require_root()
        end_namespaces(self.table)
        self.table.stop_all(grace=0)
        cgroups.remove_groups(self.paths.name)
        remove_tree(self.paths.root)
        sysctls.restore_unless_needed(still_running=any_node_running())

    def status(self) -> Status:
        names = (HOLDER, *COMPONENTS, API_FORWARD)
        components = tuple(Component(name, self.table.running(name) is not None) for name in names)
        return Status(self.kind, all(component.running for component in components), components)

    def kubeconfig(self) -> Path:
        self._spaces()
        return self.paths.kubeconfig

    def load_image(self, archive: Path) -> None:
        containerd.import_image(self._spaces(), archive)

    @contextlib.contextmanager
    def forwarding(self, target: str, port: int, *, local_port: int, namespace: str) -> Iterator[int]:
        spaces = self._spaces()
        address = self._kubectl.address_of(target, namespace=namespace)
        with forward.forwarding_into(self.table, spaces, self.programs, f"{address}:{port}", local_port) as opened:
            yield opened

    def inside(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """The command line that runs `argv` on the node, with its files, mounts and network."""
        return self._spaces().inside(argv)

    @property
    def table(self) -> ProcessTable:
        """The recorded processes of this cluster."""
        return ProcessTable(self.paths.processes, self.paths.logs)

    @property
    def _kubectl(self) -> Kubectl:
        return Kubectl(self.programs.path("kubectl"), self.paths.kubeconfig)

    @property
    def _pki(self) -> Pki:
        return Pki(self.paths.pki)

    def _spaces(self) -> NodeNamespaces:
        holder = self.table.running(HOLDER)
        if holder is None:
            raise ClusterError(f"cluster {self.paths.name!r} is not up", "start it: python -m dev.cluster up")
        return NodeNamespaces(holder)

    def _write_configuration(self) -> None:
        addresses = [f"IP:{ADDRESS}", "IP:127.0.0.1"]
        server, kubelet = certificates.api_server(addresses), certificates.kubelet(HOSTNAME, ADDRESS)
        clients = (kubelet, certificates.CONTROLLER_MANAGER, certificates.SCHEDULER, certificates.PROXY)
        ensure_pki(self.paths.pki, (server, certificates.ADMIN, *clients))
        for subject in clients:
            self._write_kubeconfig(self._own_kubeconfig(subject.name), f"https://{ADDRESS}:{PORTS.api_server}", subject)
        containerd.write_config(self._config)
        self._write_config("kubelet", nodeconfig.kubelet(self.paths.name, self._pki.authority))
        self._write_config("kube-proxy", nodeconfig.kube_proxy(self._own_kubeconfig("kube-proxy")))

    def _write_config(self, name: str, content: dict[str, object]) -> None:
        """Leave an unchanged file alone: kube-proxy ends itself when its file is touched."""
        path, text = self._config / f"{name}.yaml", yaml.safe_dump(content, sort_keys=False)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)

    def _write_kubeconfig(self, path: Path, url: str, subject: Subject) -> None:
        write_kubeconfig(path, cluster=f"crossfade-{self.paths.name}", url=url, pki=self._pki, subject=subject)

    @property
    def _config(self) -> Path:
        return self.paths.root / "config"

    def _own_kubeconfig(self, name: str) -> Path:
        return self._config / f"{name}.kubeconfig"

    def _start_control_plane(self, spaces: NodeNamespaces) -> None:
        program = self.programs.path
        self._start(spaces, "etcd", etcd_argv(program("etcd"), self.paths.root / "etcd", PORTS))
        argv = api_server_argv(program("kube-apiserver"), self._pki, PORTS, address=ADDRESS)
        self._start(spaces, "kube-apiserver", argv)
        # It needs nothing of the API server yet, and takes a while to open its store.
        self._start(spaces, "containerd", ["containerd", "--config", self._config / "containerd.toml"])
        url = self._open_api(spaces)
        wait_for("the API server", lambda: self._check_api(url), timeout=READY_TIMEOUT, hint=self._see_logs)
        name = "kube-controller-manager"
        self._start(spaces, name, controller_manager_argv(program(name), self._pki, self._own_kubeconfig(name)))
        name = "kube-scheduler"
        own = ("--kubeconfig", self._own_kubeconfig(name), "--leader-elect=false", "--secure-port=0")
        self._start(spaces, name, [program(name), *own])

    def _open_api(self, spaces: NodeNamespaces) -> str:
        """Let 127.0.0.1 lead to the API server, and write the kubeconfig for it when that is a new port."""
        if self.table.running(API_FORWARD) and self.paths.kubeconfig.exists():
            loaded = yaml.safe_load(self.paths.kubeconfig.read_text())
            return str(loaded["clusters"][0]["cluster"]["server"])
        self.table.stop(API_FORWARD)
        target = f"{ADDRESS}:{PORTS.api_server}"
        port = forward.start_forward(self.table, API_FORWARD, spaces, self.programs, target)
        url = f"https://127.0.0.1:{port}"
        self._write_kubeconfig(self.paths.kubeconfig, url, certificates.ADMIN)
        return url

    def _check_api(self, url: str) -> None:
        for name in ("etcd", "kube-apiserver"):
            self.table.require_alive(name)
        ApiProbe(url, self._pki).get("/readyz")

    def _start_node(self, spaces: NodeNamespaces) -> None:
        program = self.programs.path
        wait_for("containerd", lambda: self._check_containerd(spaces), timeout=30, hint=self._see_logs)
        self._load_system_images(spaces)
        own = ("--config", self._config / "kubelet.yaml", "--kubeconfig", self._own_kubeconfig("kubelet"))
        identity = ("--hostname-override", HOSTNAME, "--node-ip", ADDRESS)
        self._start(spaces, "kubelet", [program("kubelet"), *own, *identity])
        self._start(spaces, "kube-proxy", [program("kube-proxy"), "--config", self._config / "kube-proxy.yaml"])

    def _check_containerd(self, spaces: NodeNamespaces) -> None:
        self.table.require_alive("containerd")
        try:
            containerd.control(spaces, "version")
        except ClusterError as refused:
            raise NotYetError(str(refused)) from refused

    def _load_system_images(self, spaces: NodeNamespaces) -> None:
        """The pause container and cluster DNS; the rest is the user's."""
        init = Path(shutil.which("catatonit", path=packages.SYSTEM_PATH) or "catatonit")
        dns = self.programs.path("coredns")
        images = ((containerd.PAUSE_IMAGE, init, ["/catatonit", "-P"]), (DNS_IMAGE, dns, ["/coredns"]))
        present = containerd.control(spaces, "images", "list", "--quiet").split()
        for name, program, entrypoint in images:
            if name not in present:
                archive = self.paths.root / "image.tar"
                write_program_image(archive, name=name, program=program, entrypoint=entrypoint)
                containerd.import_image(spaces, archive)
                archive.unlink()

    def _apply_addons(self) -> None:
        self._kubectl.apply((MANIFESTS / "coredns.yaml").read_text())
        self._kubectl.remove_released_volumes()
        folder = self.paths.root / "volumes"
        for number in range(storage.COUNT):
            (folder / storage.volume_name(number)).mkdir(parents=True, exist_ok=True)
        volumes = [storage.volume(number, folder, HOSTNAME) for number in range(storage.COUNT)]
        self._kubectl.apply(yaml.safe_dump_all([storage.storage_class(), *volumes]))

    def _await_dns(self, spaces: NodeNamespaces) -> None:
        argv = [sys.executable, "-m", "dev.cluster.dns", nodeconfig.DNS_ADDRESS, "kubernetes.default.svc.cluster.local"]

        def check() -> None:
            for name in ("kubelet", "kube-proxy"):
                self.table.require_alive(name)
            try:
                run(spaces.in_network(argv), cwd=REPOSITORY, timeout=10)
            except ClusterError as silent:
                raise NotYetError(
                    f"no answer from {nodeconfig.DNS_ADDRESS}; {self._kubectl.pods('kube-system')}"
                ) from silent

        wait_for("cluster DNS", check, timeout=READY_TIMEOUT, hint=self._see_logs)

    def _start(self, spaces: NodeNamespaces, name: str, argv: list[str | Path]) -> None:
        self.table.start(name, spaces.inside(argv))

    @property
    def _see_logs(self) -> str:
        return f"see the logs in {self.paths.logs}"
