"""What a plan asks the runtime to do: a closed union, applied in order by `runtime/act.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crossfade_operator.ports.cluster import Ref


@dataclass(frozen=True)
class Apply:
    """Server-side apply of one object."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """Delete one object, guarded by its uid."""

    ref: Ref


@dataclass(frozen=True)
class Poke:
    """Annotate router pods with the generation, so that the kubelet refreshes their table within a second."""

    pods: tuple[str, ...]
    generation: int


@dataclass(frozen=True)
class Announce:
    """An Event about an object that was looked at."""

    about: Literal["ModelRollout", "ModelEndpoint", "Experiment"]
    name: str
    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


Effect = Apply | Delete | Poke | Announce
