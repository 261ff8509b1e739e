"""Acting: a turn's effects, applied in order. What the API server refuses is a finding, not a failure."""

from __future__ import annotations

from collections.abc import Iterable

from crossfade_operator.core.effects import Announce, Apply, Delete, Effect
from crossfade_operator.ports.cluster import Obj, Refused
from crossfade_operator.ports.learning import LearningCluster


class NotOurs(Exception):
    """An effect that is the serving side's alone."""


async def apply_all(cluster: LearningCluster, about: Obj, effects: Iterable[Effect]) -> str | None:
    """Apply every effect. Returns the API server's sentence when it refused one; the others are applied all the same.

    `Conflict`, `Unreachable` and `NotLeader` go up: the turn is made again from what is then true.
    """
    refusal: str | None = None
    for effect in effects:
        try:
            await _apply(cluster, about, effect)
        except Refused as refused:
            refusal = refusal or str(refused)
    return refusal


async def _apply(cluster: LearningCluster, about: Obj, effect: Effect) -> None:
    match effect:
        case Apply(manifest):
            await cluster.apply(manifest)
        case Delete(ref):
            await cluster.delete(ref)
        case Announce(_, _, kind, reason, message):
            await cluster.event(about, kind, reason, message)
        case _:
            raise NotOurs(f"the learning side cannot do this: {effect}")
