"""Acting: a plan's effects, applied in order. What the API server refuses is a finding, not a failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from crossfade_operator.core.children.router import GENERATION_ANNOTATION
from crossfade_operator.core.effects import Announce, Apply, Delete, Effect, Poke
from crossfade_operator.ports.cluster import Cluster, Key, Obj, Refused


@dataclass(frozen=True)
class Actors:
    """Where effects go: the cluster, the key they are about, and the objects that events are about."""

    cluster: Cluster
    key: Key
    about: dict[tuple[str, str], Obj]


async def apply_all(actors: Actors, effects: Iterable[Effect]) -> str | None:
    """Apply every effect. Returns the API server's sentence when it refused one; the others are applied all the same.

    `Conflict`, `Unreachable` and `NotLeader` go up: the turn is made again from what is then true.
    """
    refusal: str | None = None
    for effect in effects:
        try:
            await _apply(actors, effect)
        except Refused as refused:
            refusal = refusal or str(refused)
    return refusal


async def _apply(actors: Actors, effect: Effect) -> None:
    match effect:
        case Apply(manifest):
            await actors.cluster.apply(manifest)
        case Delete(ref):
            await actors.cluster.delete(ref)
        case Poke(pods, generation):
            await actors.cluster.annotate_pods(actors.key, pods, GENERATION_ANNOTATION, str(generation))
        case Announce(about, name, kind, reason, message):
            await actors.cluster.event(actors.about[about, name], kind, reason, message)
        case _:
            assert_never(effect)
