"""Certificates of a cluster, and the key that signs service account tokens."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.commands import run

VALID_DAYS = "365"
HINT = "install OpenSSL 3 (Debian: apt-get install openssl)"


@dataclass(frozen=True)
class Subject:
    """Whom a certificate is for: Kubernetes reads the user from ``common_name``, the group from ``organization``."""

    name: str
    common_name: str
    organization: str = ""
    addresses: tuple[str, ...] = ()
    """Subject alternative names as OpenSSL writes them, for instance ``IP:127.0.0.1``; only servers need them."""


ADMIN = Subject("admin", "kubernetes-admin", "system:masters")
CONTROLLER_MANAGER = Subject("kube-controller-manager", "system:kube-controller-manager")
SCHEDULER = Subject("kube-scheduler", "system:kube-scheduler")
PROXY = Subject("kube-proxy", "system:kube-proxy")


def api_server(addresses: Iterable[str]) -> Subject:
    """The server certificate of kube-apiserver, also valid for the names that pods use."""
    service = ("DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "IP:10.96.0.1")
    return Subject("kube-apiserver", "kube-apiserver", addresses=(*addresses, "DNS:localhost", *service))


def kubelet(node: str, address: str) -> Subject:
    """The kubelet's certificate, for both its own server and its calls to the API server."""
    return Subject("kubelet", f"system:node:{node}", "system:nodes", (f"IP:{address}", f"DNS:{node}"))


@dataclass(frozen=True)
class Pki:
    """A folder with ``ca.crt``, ``sa.key``, ``sa.pub`` and for each subject ``<name>.crt`` and ``<name>.key``."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def certificate(self, subject: Subject | str) -> Path:
        return self.folder / f"{_name(subject)}.crt"

    def key(self, subject: Subject | str) -> Path:
        return self.folder / f"{_name(subject)}.key"

    @property
    def token_key(self) -> Path:
        """Signs service account tokens."""
        return self.folder / "sa.key"

    @property
    def token_public_key(self) -> Path:
        return self.folder / "sa.pub"


def ensure_pki(folder: Path, subjects: Iterable[Subject]) -> Pki:
    """Make the certificates unless the folder exists; it appears whole or not at all.

    Raises:
        ClusterError: OpenSSL is missing or refuses.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=".pki.", dir=folder.parent))
        try:
            _make_authority(workspace)
            for subject in subjects:
                _sign(workspace, subject)
            workspace.rename(folder)
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
    return Pki(folder)


def _make_authority(folder: Path) -> None:
    argv = [
        "openssl",
        "req",
        "-x509",
        *_new_key(folder / "ca.key"),
        "-out",
        str(folder / "ca.crt"),
        "-days",
        VALID_DAYS,
    ]
    run([*argv, "-subj", "/CN=crossfade-local", "-addext", "keyUsage=critical,keyCertSign"], hint=HINT)
    run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", folder / "sa.key"])
    run(["openssl", "pkey", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub"])


def _sign(folder: Path, subject: Subject) -> None:
    organization = f"/O={subject.organization}" if subject.organization else ""
    extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
    if subject.addresses:
        extensions.append(f"subjectAltName={','.join(subject.addresses)}")
    argv = ["openssl", "req", "-x509", *_new_key(folder / f"{subject.name}.key"), "-days", VALID_DAYS]
    argv += [
        "-CA",
        str(folder / "ca.crt"),
        "-CAkey",
        str(folder / "ca.key"),
        "-out",
        str(folder / f"{subject.name}.crt"),
    ]
    argv += ["-subj", f"{organization}/CN={subject.common_name}"]
    run([*argv, *(word for extension in extensions for word in ("-addext", extension))])


def _new_key(path: Path) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]


def _name(subject: Subject | str) -> str:
    return subject if isinstance(subject, str) else subject.name
