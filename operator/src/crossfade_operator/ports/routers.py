"""What the routers say of themselves: which generation of the table each one runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class RouterPod:
    """A ready router pod and the address of its `ops` port."""

    name: str
    ip: str


@dataclass(frozen=True)
class RouterReport:
    """What one router answered. `generation` is None when it could not be asked; `error` then says why.

    `rejected` counts the tables that this router refused since it started; `healthy` the pods to which it can send
    requests, by what was asked about; what nobody asked about, or it could not say, is not in it.
    """

    pod: str
    generation: int | None
    digest: str | None = None
    rejected: int = 0
    error: str | None = None
    healthy: Mapping[str, int] = field(default_factory=dict)


class Routers(Protocol):
    async def reports(self, pods: Sequence[RouterPod], *, names: Collection[str] = ()) -> Sequence[RouterReport]:
        """Ask every pod at once, each within a second; one report per pod, in order.

        Each also says how many healthy pods the router sees under these `names`: revisions, or names of arms.
        """
