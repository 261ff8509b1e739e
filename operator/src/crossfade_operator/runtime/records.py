"""The objects of decisions: made before anything that follows from them, and remembered until the status says so."""

from __future__ import annotations

from collections.abc import Iterable

from crossfade_operator.api.modelrollout_status import ModelRolloutStatus
from crossfade_operator.core.rollout.records import number_of
from crossfade_operator.ports.cluster import Cluster, ClusterError, NotLeader, Obj


class Records:
    """What is known of the Decision objects of each rollout, by its uid. All of it can be forgotten: making an object
    that exists changes nothing."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: dict[str, int] = {}
        self._problems: dict[str, str] = {}

    def made(self, rollout: Obj, status: ModelRolloutStatus) -> int:
        """The number of the last decision whose object is known to exist."""
        known = self._made.get(rollout["metadata"]["uid"], 0)
        if known <= status.decisions_recorded:
            self._made.pop(rollout["metadata"]["uid"], None)
        return max(known, status.decisions_recorded)

    def problem(self, rollout: Obj) -> str | None:
        """Why the last attempt to make one failed, or None when it did not."""
        return self._problems.get(rollout["metadata"]["uid"])

    async def make(self, rollout: Obj, manifests: Iterable[Obj]) -> bool:
        """Make these, in order. Whether all of them exist now; `problem` says why not.

        `NotLeader` goes up; nothing else does, for what takes users back must go on whatever becomes of the record.
        """
        uid = rollout["metadata"]["uid"]
        self._problems.pop(uid, None)
        for manifest in manifests:
            if sentence := await self._refusal(manifest):
                self._problems[uid] = sentence
                return False
            self._made[uid] = number_of(manifest["metadata"]["name"])
        return True

    async def _refusal(self, manifest: Obj) -> str | None:
        name = manifest["metadata"]["name"]
        try:
            found = await self._cluster.create(manifest)
        except NotLeader:
            raise
        except ClusterError as error:
            return f"Decision {name} could not be made: {error}"
        if found["spec"]["subject"]["uid"] != manifest["spec"]["subject"]["uid"]:
            return f"Decision {name} exists and is about another object; delete the ModelRollout and make it anew"
        return None
