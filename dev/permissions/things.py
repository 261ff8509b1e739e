"""What can be asked for: objects of each side, and single acts on them that admission tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")
VERBS = READ + WRITE
REPLACE = ("get", "update", "patch")
CALLER = "{caller}"
"""In a body: the user name of whoever asks."""


class Side(StrEnum):
    """Whose it is."""

    SERVING = "What serves users"
    LEARNING = "What learns"
    REFUSED = "Arms that are refused"
    RECORD = "Records"
    OTHER = "The rest of the cluster"


@dataclass(frozen=True)
class Denial:
    """An admission policy that refuses these verbs, to all or to those named."""

    policy: str
    verbs: tuple[str, ...]
    to: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def refuses(self, identity: str, verb: str) -> bool:
        """Whether it refuses the verb to the identity of this name."""
        return verb in self.verbs and (not self.to or identity in self.to) and identity not in self.but


@dataclass(frozen=True)
class Thing:
    """A resource in one of its uses. `body` is a good object of the kind; `change` is what a write changes in it."""

    title: str
    side: Side
    api_version: str
    kind: str
    plural: str
    body: Json
    subresource: str = ""
    verbs: tuple[str, ...] = VERBS
    change: Json = field(default_factory=lambda: {"metadata": {"annotations": {"example.com/touched": "yes"}}})
    denials: tuple[Denial, ...] = ()
    status: Json = field(default_factory=dict)
    """How far the object has come, where that matters."""
    namespace: str = ""
    """Empty: the namespace of models. `release`: the release's own."""
    named: str = ""
    """Its name, where that matters."""
    cluster_wide: bool = False

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.api_version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """The resource as roles name it."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural

    def refusals(self, identity: str, verb: str) -> tuple[str, ...]:
        """The policies that refuse the verb to the identity of this name, whatever its roles."""
        return tuple(denial.policy for denial in self.denials if denial.refuses(identity, verb))
