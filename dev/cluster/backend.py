"""The one interface of every local cluster."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Component:
    """A part of a cluster and whether it runs."""

    name: str
    running: bool


@dataclass(frozen=True)
class Status:
    """What is known of a cluster without asking its API."""

    kind: str
    up: bool
    components: tuple[Component, ...]


class Backend(Protocol):
    """A cluster by name. Every verb raises ``ClusterError`` with what to do when it cannot be done."""

    @property
    def kind(self) -> str:
        """``node`` or ``kind``."""

    def up(self) -> None:
        """Start what does not run yet; return when the node is Ready and cluster DNS answers."""

    def down(self) -> None:
        """Remove the cluster and all that it keeps on this machine; does nothing when there is none."""

    def status(self) -> Status:
        """What runs."""

    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig that works from this machine."""

    def load_image(self, archive: Path) -> None:
        """Give the node an image from an archive as ``docker save`` or ``buildah push`` writes it."""

    def forwarding(self, target: str, port: int, *, local_port: int, namespace: str) -> AbstractContextManager[int]:
        """While open, 127.0.0.1 leads to a Service or Pod.

        Args:
            target: ``svc/NAME`` or ``pod/NAME``.
            port: its port.
            local_port: the port on 127.0.0.1, or 0 for any free one.
            namespace: where it is.

        Returns:
            A context that gives the port on 127.0.0.1.
        """
