"""etcd, kube-apiserver and kube-controller-manager: a Kubernetes API that is real, without a node to run pods on."""

import shutil
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import pki as certificates
from dev.cluster.kubeconfig import write_kubeconfig
from dev.cluster.pki import Pki, ensure_pki
from dev.cluster.processes import ProcessTable
from dev.cluster.programs import CONTROL_PLANE, Programs
from dev.cluster.waiting import NotYetError, wait_for

SERVICE_RANGE = "10.96.0.0/16"
POD_RANGE = "10.244.0.0/16"
LOOPBACK = "127.0.0.1"
READY_TIMEOUT = 90.0


@dataclass(frozen=True)
class Ports:
    """Where the control plane listens; all on 127.0.0.1 unless said otherwise."""

    etcd_client: int
    etcd_peer: int
    api_server: int

    @classmethod
    def free(cls) -> "Ports":
        """Three ports that nobody listens on just now."""
        sockets = [socket.create_server((LOOPBACK, 0)) for _ in range(3)]
        try:
            return cls(*(opened.getsockname()[1] for opened in sockets))
        finally:
            for opened in sockets:
                opened.close()


def etcd_argv(program: Path, data: Path, ports: Ports) -> list[str | Path]:
    """etcd for one node; data loss in a power cut is accepted, so nothing waits for the disk."""
    client = f"http://{LOOPBACK}:{ports.etcd_client}"
    peer = f"http://{LOOPBACK}:{ports.etcd_peer}"
    return [
        *(program, "--data-dir", data, "--unsafe-no-fsync", "--log-level", "warn"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]


def api_server_argv(program: Path, pki: Pki, ports: Ports, *, address: str) -> list[str | Path]:
    """kube-apiserver with its default admission plugins and RBAC."""
    server, admin = "kube-apiserver", certificates.ADMIN
    loopback_only = address == LOOPBACK
    return [
        *(program, "--etcd-servers", f"http://{LOOPBACK}:{ports.etcd_client}"),
        *("--bind-address", address if loopback_only else "0.0.0.0", "--secure-port", str(ports.api_server)),  # noqa: S104  inside its own namespace
        *("--advertise-address", address, "--service-cluster-ip-range", SERVICE_RANGE),
        # The "kubernetes" Service cannot have a loopback address as its endpoint.
        *(("--endpoint-reconciler-type", "none") if loopback_only else ()),
        *("--tls-cert-file", pki.certificate(server), "--tls-private-key-file", pki.key(server)),
        *("--client-ca-file", pki.authority),
        *("--kubelet-client-certificate", pki.certificate(admin), "--kubelet-client-key", pki.key(admin)),
        # Names of nodes are in no DNS.
        *("--kubelet-preferred-address-types", "InternalIP"),
        *("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        *("--service-account-key-file", pki.token_public_key, "--service-account-signing-key-file", pki.token_key),
        *("--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction"),
        *("--allow-privileged", "--profiling=false"),
    ]


def controller_manager_argv(program: Path, pki: Pki, kubeconfig: Path) -> list[str | Path]:
    """kube-controller-manager, the only one of its cluster: without a Lease to wait for and without a port."""
    return [
        *(program, "--kubeconfig", kubeconfig, "--leader-elect=false", "--secure-port=0", "--profiling=false"),
        *("--use-service-account-credentials", "--service-account-private-key-file", pki.token_key),
        *(
            "--root-ca-file",
            pki.authority,
            "--cluster-signing-cert-file",
            pki.authority,
            "--cluster-signing-key-file",
            pki.key("ca"),
        ),
        *("--allocate-node-cidrs", "--cluster-cidr", POD_RANGE, "--service-cluster-ip-range", SERVICE_RANGE),
    ]


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane on loopback, and how to reach it."""

    kubeconfig: Path
    url: str
    logs: Path


class LoopbackControlPlane:
    """The control plane as plain processes on free ports of 127.0.0.1: no root and no namespace needed.

    Its processes end with the process that started them, however that ends.
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._table = ProcessTable(folder / "processes", folder / "logs")

    def start(self) -> ControlPlane:
        """Start everything and wait until the API answers and namespaces get their service accounts.

        Raises:
            ClusterError: a program cannot be built, ended, or is not ready in time (with the end of its log).
        """
        self._programs.ensure(CONTROL_PLANE)
        ports = Ports.free()
        url = f"https://{LOOPBACK}:{ports.api_server}"
        subjects = (certificates.api_server([f"IP:{LOOPBACK}"]), certificates.ADMIN, certificates.CONTROLLER_MANAGER)
        pki = ensure_pki(self._folder / "pki", subjects)
        kubeconfig = write_kubeconfig(
            self._folder / "kubeconfig", cluster="control-plane", url=url, pki=pki, subject=certificates.ADMIN
        )
        try:
            self._launch("etcd", etcd_argv(self._program("etcd"), self._folder / "etcd", ports))
            argv = api_server_argv(self._program("kube-apiserver"), pki, ports, address=LOOPBACK)
            self._launch("kube-apiserver", argv)
            self._await_api(url, pki)
            self._launch_controller_manager(url, pki)
            self._await_service_accounts(url, pki)
        except BaseException:
            self.stop()
            raise
        return ControlPlane(kubeconfig, url, self._folder / "logs")

    def stop(self) -> None:
        """Kill all of it (nothing is worth a graceful end) and remove its data; the logs stay."""
        self._table.stop_all(grace=0)
        shutil.rmtree(self._folder / "etcd", ignore_errors=True)

    def _launch_controller_manager(self, url: str, pki: Pki) -> None:
        own = self._folder / "kube-controller-manager.kubeconfig"
        write_kubeconfig(own, cluster="control-plane", url=url, pki=pki, subject=certificates.CONTROLLER_MANAGER)
        argv = controller_manager_argv(self._program("kube-controller-manager"), pki, own)
        self._launch("kube-controller-manager", argv)

    def _launch(self, name: str, argv: list[str | Path]) -> None:
        self._table.start(name, argv, die_with_parent=True)

    def _program(self, name: str) -> Path:
        return self._programs.path(name)

    def _await_api(self, url: str, pki: Pki) -> None:
        def check() -> None:
            self._table.require_alive("etcd")
            self._table.require_alive("kube-apiserver")
            ApiProbe(url, pki).get("/readyz")

        wait_for("the API server", check, timeout=READY_TIMEOUT, hint=f"see the logs in {self._folder / 'logs'}")

    def _await_service_accounts(self, url: str, pki: Pki) -> None:
        def check() -> None:
            self._table.require_alive("kube-controller-manager")
            ApiProbe(url, pki).get("/api/v1/namespaces/default/serviceaccounts/default")

        wait_for("the default service account", check, timeout=READY_TIMEOUT, hint=f"see {self._folder / 'logs'}")


class ApiProbe:
    """Asks the API server as the administrator, with nothing but the standard library."""

    def __init__(self, url: str, pki: Pki) -> None:
        self._url = url
        self._tls = ssl.create_default_context(cafile=str(pki.authority))
        self._tls.load_cert_chain(pki.certificate(certificates.ADMIN), pki.key(certificates.ADMIN))

    def get(self, path: str) -> str:
        """The body of a successful answer.

        Raises:
            NotYetError: no connection, or an answer other than 2xx.
        """
        try:
            with urllib.request.urlopen(self._url + path, context=self._tls, timeout=5) as answer:  # noqa: S310  always https
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                raise NotYetError(
                    f"{path} answers {refused.code}: {refused.read(300).decode(errors='replace')}"
                ) from refused
        except OSError as broken:
            raise NotYetError(f"{path}: {broken}") from broken
