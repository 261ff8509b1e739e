"""Where things live outside the work tree."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.errors import ClusterError

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS_MODULE = REPOSITORY / "dev" / "tools"
DEFAULT_NAME = "crossfade"
NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


def cache_root() -> Path:
    """What can be built again: programs, base images. Follows ``XDG_CACHE_HOME``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossfade"


def state_root() -> Path:
    """What belongs to running clusters. Follows ``XDG_STATE_HOME``."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "crossfade"


@dataclass(frozen=True)
class ClusterPaths:
    """The folder of one named cluster, and what is in it.

    Raises:
        ClusterError: the name could not be used for a folder, a cgroup and a kind cluster alike.
    """

    name: str

    def __post_init__(self) -> None:
        if not NAME_PATTERN.fullmatch(self.name):
            raise ClusterError(
                f"cluster name {self.name!r} is not usable",
                "use at most 32 lower-case letters, digits and dashes, with a letter or digit at both ends",
            )

    @property
    def root(self) -> Path:
        return state_root() / self.name

    @property
    def kubeconfig(self) -> Path:
        """For programs on this machine: it points at 127.0.0.1."""
        return self.root / "kubeconfig"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pki(self) -> Path:
        return self.root / "pki"
