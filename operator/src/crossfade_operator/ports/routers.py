"""What the routers say of themselves: which generation of the table each one runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RouterPod:
    """A ready router pod and the address of its `ops` port."""

    name: str
    ip: str


@dataclass(frozen=True)
class RouterReport:
    """What one router answered. `generation` is None when it could not be asked; `error` then says why.

    `rejected` counts the tables that this router refused since it started; `healthy` the pods of the revision that was
    asked about which it can send requests to, None when nobody asked or it could not say.
    """

    pod: str
    generation: int | None
    digest: str | None = None
    rejected: int = 0
    error: str | None = None
    healthy: int | None = None


class Routers(Protocol):
    async def reports(self, pods: Sequence[RouterPod], *, revision: str | None = None) -> Sequence[RouterReport]:
        """Ask every pod at once, each within a second; one report per pod, in order.

        With a `revision`, each also says how many healthy pods of it the router sees.
        """
