"""The learning side's door to an API server in memory: `FakeCluster` with records, and creation times of a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crossfade_operator.ports.cluster import Conflict, Key, Obj, Refused
from crossfade_operator.ports.learning import ArmObjects, Name
from tests.fakes.cluster import FakeCluster
from tests.fakes.copies import copied

OWN_KINDS = {"Deployment", "ControllerRevision", "Decision", "Review"}
"""What the learning side's role lets it apply or create."""


class FakeLearning(FakeCluster):
    """Implements `ports.learning.LearningCluster`, and refuses what the real role would refuse."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._now = now
        self.refuse_records = False

    def put(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        new = self.get(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]) is None
        made = super().put(obj)
        if new:
            made["metadata"]["creationTimestamp"] = self._now().replace(microsecond=0).isoformat()
        return made

    def _found(self, kind: str, namespace: str, fields: Mapping[str, str]) -> list[Obj]:
        def value(obj: Obj, path: str) -> object:
            found: Any = obj
            for part in path.split("."):
                found = (found or {}).get(part)
            return found

        found = [
            copied(obj)
            for obj in self.all(kind)
            if obj["metadata"]["namespace"] == namespace and all(value(obj, p) == v for p, v in fields.items())
        ]
        return sorted(found, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))

    async def experiment(self, name: Name) -> Obj | None:
        return copied(self.get("Experiment", name.namespace, name.name))

    async def experiments(self, key: Key) -> Sequence[Obj]:
        return self._found("Experiment", key.namespace, {"spec.endpoint": key.endpoint})

    async def reviews(self, namespace: str, kind: str, name: str) -> Sequence[Obj]:
        return self._found("Review", namespace, {"spec.subject.kind": kind, "spec.subject.name": name})

    async def decisions(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        return self._found("Decision", namespace, fields)

    async def metric_revision(self, metric: Name, revision: str) -> Mapping[str, Any] | None:
        found = self.get("ControllerRevision", metric.namespace, f"metric-{metric.name}-{revision}")
        return copied(found["data"]["spec"]) if found else None

    async def template(self, key: Key, revision: str) -> Mapping[str, Any] | None:
        labels = {"endpoint": key.endpoint, "component": "revision", "revision": revision}
        wanted = {f"crossfade.dev/{label}": value for label, value in labels.items()}.items()
        records = (obj for obj in self.all("ControllerRevision") if wanted <= obj["metadata"]["labels"].items())
        return next((copied(obj["data"]["template"]) for obj in records), None)

    async def arms(self, experiment: Name, endpoint: str) -> ArmObjects:
        mine = {"crossfade.dev/experiment": experiment.name, "crossfade.dev/component": "arm"}.items()

        def own(kind: str) -> list[Obj]:
            return [copied(obj) for obj in self.all(kind) if mine <= obj["metadata"]["labels"].items()]

        return ArmObjects(own("Deployment"), own("ControllerRevision"), own("Pod"))

    async def every(self, kind: str) -> Sequence[Obj]:
        return copied(self.all(kind))

    async def apply(self, manifest: Obj) -> Obj:
        if manifest["kind"] not in OWN_KINDS:
            raise Refused(f"crossfade-learning cannot patch {manifest['kind']}")
        return await super().apply(manifest)

    async def hold(self, obj: Obj, finalizer: str) -> Obj:
        self._about_to("hold", obj)
        found = self._fresh(obj)
        if found["metadata"].get("deletionTimestamp"):
            raise Refused("no new finalizers can be added if the object is being deleted")
        return self._with_finalizers(found, [*found["metadata"].get("finalizers", ()), finalizer])

    async def release(self, obj: Obj, finalizer: str) -> None:
        self._about_to("release", obj)
        found = self._fresh(obj)
        kept = [one for one in found["metadata"]["finalizers"] if one != finalizer]
        self._with_finalizers(found, kept)
        if not kept and found["metadata"].get("deletionTimestamp"):
            self.remove(found["kind"], found["metadata"]["namespace"], found["metadata"]["name"])

    def delete_by_hand(self, name: Name) -> None:
        """As a user would: what has a finalizer stays until it has none."""
        found = self.get("Experiment", name.namespace, name.name)
        assert found is not None
        if not found["metadata"].get("finalizers"):
            self.remove("Experiment", name.namespace, name.name)
            return
        found["metadata"]["deletionTimestamp"] = self._now().isoformat()
        self._with_finalizers(found, found["metadata"]["finalizers"])

    def _with_finalizers(self, found: dict[str, Any], wanted: Sequence[str]) -> Obj:
        found["metadata"] |= {"finalizers": list(wanted), "resourceVersion": str(next(self._versions))}
        return copied(found)

    def _fresh(self, obj: Obj) -> dict[str, Any]:
        meta = obj["metadata"]
        found = self.get(obj["kind"], meta["namespace"], meta["name"])
        if found is None or found["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise Conflict(f"{obj['kind']} {meta['name']} was changed since it was read")
        return found

    async def create(self, manifest: Obj) -> Obj:
        self._about_to("create", manifest)
        if manifest["kind"] != "Decision" or self.refuse_records:
            raise Refused(f"crossfade-learning cannot create {manifest['kind']}: not now")
        meta = manifest["metadata"]
        found = self.get(manifest["kind"], meta["namespace"], meta["name"])
        return copied(found if found is not None else self.put(manifest))
