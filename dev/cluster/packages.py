"""Commands that come with the operating system, installed where we may, else named."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.commands import run
from dev.cluster.errors import ClusterError
from dev.cluster.progress import step

SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Requirement:
    """A command, or a file where ``command`` holds a slash, and the Debian package that has it."""

    command: str
    package: str

    @property
    def met(self) -> bool:
        if "/" in self.command:
            return Path(self.command).exists()
        return shutil.which(self.command, path=SYSTEM_PATH) is not None


NODE = (
    Requirement("catatonit", "catatonit"),
    Requirement("containerd", "containerd"),
    Requirement("ctr", "containerd"),
    Requirement("runc", "runc"),
    Requirement("/usr/lib/cni/ptp", "containernetworking-plugins"),
    Requirement("ip", "iproute2"),
    Requirement("iptables", "iptables"),
    Requirement("conntrack", "conntrack"),
    Requirement("openssl", "openssl"),
    Requirement("hostname", "hostname"),
    Requirement("nsenter", "util-linux"),
)
PROMETHEUS = (Requirement("prometheus", "prometheus"),)
POSTGRESQL = (Requirement("pg_ctlcluster", "postgresql"),)
IMAGES = (Requirement("buildah", "buildah"), Requirement("mmdebstrap", "mmdebstrap"))


def ensure(requirements: Iterable[Requirement], *, purpose: str) -> None:
    """Install the packages of unmet requirements on Debian as root.

    Raises:
        ClusterError: elsewhere, naming the commands and packages; or the installation failed.
    """
    missing = [requirement for requirement in requirements if not requirement.met]
    if not missing:
        return
    packages = sorted({requirement.package for requirement in missing})
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(
            f"missing for {purpose}: {', '.join(requirement.command for requirement in missing)}",
            f"install them (on Debian or Ubuntu, as root: apt-get install {' '.join(packages)})",
        )
    with step(f"installing {', '.join(packages)}", expect="apt-get"):
        _install(packages)


def _install(packages: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=env)
    run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], env=env, timeout=1200)
