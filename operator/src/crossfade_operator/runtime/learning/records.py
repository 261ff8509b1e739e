"""All records, once an hour: whose time is over, and what the programme has learned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from crossfade_operator.core.retention import Records, over
from crossfade_operator.ports.clock import Clock
from crossfade_operator.ports.cluster import Conflict, Obj, Refused
from crossfade_operator.ports.learning import LearningCluster
from crossfade_operator.ports.telemetry import ExperimentTelemetry

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
ALL = "all"
"""The one key of this work."""


class RecordKeeper:
    """Labels records that need not be kept any longer, and counts what experiments taught."""

    def __init__(self, cluster: LearningCluster, clock: Clock, telemetry: ExperimentTelemetry) -> None:
        self._cluster, self._clock, self._telemetry = cluster, clock, telemetry

    async def sweep(self, _: str = ALL) -> datetime:
        """Look at all of them. Returns when to look again."""
        kinds = ("Decision", "Review", "ModelEndpoint", "ModelRollout", "Experiment")
        decisions, reviews, endpoints, rollouts, experiments = await asyncio.gather(
            *(self._cluster.every(kind) for kind in kinds)
        )
        self._telemetry.programme(_outcomes(decisions))
        records = Records(decisions, reviews, endpoints, [*rollouts, *experiments])
        for label in over(records, self._clock.now()):
            try:
                await self._cluster.apply(label.manifest)
            except (Conflict, Refused) as error:
                logger.warning("a record whose time is over could not be labelled: %s", error)
        return self._clock.now() + EVERY


def _outcomes(decisions: Iterable[Obj]) -> dict[tuple[str, str], tuple[str, str]]:
    """Owner and outcome of every run that was decided, by namespace and name of its Decision."""
    ended = {
        (obj["metadata"]["namespace"], obj["metadata"]["name"]): obj["spec"]
        for obj in decisions
        if obj["spec"]["subject"]["kind"] == "Experiment" and obj["spec"].get("outcome")
    }
    return {address: (str(spec.get("owner", "")), str(spec["outcome"])) for address, spec in ended.items()}
