"""An API server in memory: fresh reads, guarded status writes, server-side apply by replacement, faults on demand.

What it leaves out: field ownership (an apply replaces what our manager applied before and keeps all else at the top
level of the object), defaulting and admission. `tests/contract/cluster` holds it to what the real one does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crossfade_operator.ports.cluster import Children, ClusterError, Conflict, Key, Obj, Ref, Refused
from tests.fakes.copies import copied

GROUP = "crossfade.dev/v1alpha1"

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""Objects are a second apart, so that they are listed as they were made."""

Address = tuple[str, str, str]
"""Kind, namespace, name."""


class FakeCluster:
    """`fail` is called before every write with its verb and kind, and may raise what it likes, also a crash."""

    def __init__(self) -> None:
        self.objects: dict[Address, dict[str, Any]] = {}
        self.events: list[tuple[str, str, str, str]] = []
        self.writes: list[tuple[str, str, str]] = []
        self.refuse: Callable[[Obj], str | None] = lambda _: None
        self.fail: Callable[[str, str], None] = lambda _verb, _kind: None
        self._versions = itertools.count(1)

    # For tests -----------------------------------------------------------------------------------------------

    def put(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Create or replace, as a user would with kubectl: the status stays, the generation follows the spec."""
        meta = obj["metadata"]
        address = (obj["kind"], meta["namespace"], meta["name"])
        before = self.objects.get(address)
        made: dict[str, Any] = copied(dict(obj))
        made["metadata"] = {"labels": {}, "annotations": {}, **made["metadata"]}
        version = str(next(self._versions))
        if before is None:
            created = (FIRST + timedelta(seconds=int(version))).isoformat()
            made["metadata"] |= {"uid": f"uid-{version}", "generation": 1, "creationTimestamp": created}
        else:
            bumped = before["metadata"]["generation"] + (before.get("spec") != made.get("spec"))
            made["metadata"] |= {key: before["metadata"][key] for key in ("uid", "creationTimestamp")}
            made["metadata"]["generation"] = bumped
            if "status" in before:
                made.setdefault("status", before["status"])
        made["metadata"]["resourceVersion"] = version
        self.objects[address] = made
        return made

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get((kind, namespace, name))

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [obj for (found, _, _), obj in sorted(self.objects.items()) if found == kind]

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object with all that it owns, as the garbage collector does."""
        gone = self.objects.pop((kind, namespace, name))
        for (child_kind, child_namespace, child_name), child in list(self.objects.items()):
            owners = child["metadata"].get("ownerReferences", ())
            if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                self.remove(child_kind, child_namespace, child_name)

    # ports.Cluster -------------------------------------------------------------------------------------------

    async def endpoint(self, key: Key) -> Obj | None:
        return copied(self.get("ModelEndpoint", key.namespace, key.endpoint))

    async def rollouts(self, key: Key) -> Sequence[Obj]:
        return self._selected("ModelRollout", key.namespace, {"spec.endpoint": key.endpoint})

    async def metrics(self, namespace: str, names: Sequence[str]) -> Mapping[str, Obj]:
        found = {name: self.get("Metric", namespace, name) for name in names}
        return {name: copied(obj) for name, obj in found.items() if obj is not None}

    async def experiments(self, key: Key) -> Sequence[Obj]:
        return self._selected("Experiment", key.namespace, {"spec.endpoint": key.endpoint})

    async def decisions(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        return self._selected("Decision", namespace, fields)

    async def reviews(self, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        return self._selected("Review", namespace, fields)

    def _selected(self, kind: str, namespace: str, fields: Mapping[str, str]) -> Sequence[Obj]:
        found = [
            copied(obj)
            for obj in self.all(kind)
            if obj["metadata"]["namespace"] == namespace
            and all(_at(obj, path) == value for path, value in fields.items())
        ]
        return sorted(found, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))

    async def children(self, key: Key) -> Children:
        def owned(kind: str) -> list[Obj]:
            return [
                copied(obj)
                for obj in self.all(kind)
                if obj["metadata"]["namespace"] == key.namespace
                and obj["metadata"]["labels"].get("crossfade.dev/endpoint") == key.endpoint
            ]

        return Children(
            deployments=owned("Deployment"),
            services=owned("Service"),
            config_maps=owned("ConfigMap"),
            controller_revisions=owned("ControllerRevision"),
            pods=owned("Pod"),
        )

    async def apply(self, manifest: Obj) -> Obj:
        self._about_to("apply", manifest)
        if sentence := self.refuse(manifest):
            raise Refused(sentence)
        before = self.get(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if before is not None and _covers(before, manifest):
            return copied(before)
        return copied(self.put(_over(before, manifest)))

    async def create(self, manifest: Obj) -> Obj:
        present = self.get(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if present is not None:
            return copied(present)
        self._about_to("create", manifest)
        if sentence := self.refuse(manifest):
            raise Refused(sentence)
        return copied(self.put(manifest))

    async def delete(self, ref: Ref) -> None:
        self._about_to("delete", {"kind": ref.kind, "metadata": {"name": ref.name}})
        found = self.get(ref.kind, ref.namespace, ref.name)
        if found is None:
            return
        if ref.uid is not None and found["metadata"]["uid"] != ref.uid:
            raise Conflict(f"{ref.kind} {ref.name} is another object now")
        self.remove(ref.kind, ref.namespace, ref.name)

    async def write_status(self, obj: Obj, status: Mapping[str, Any]) -> Obj:
        self._about_to("status", obj)
        meta = obj["metadata"]
        found = self.get(obj["kind"], meta["namespace"], meta["name"])
        if found is None or found["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise Conflict(f"{obj['kind']} {meta['name']} was changed since it was read")
        found["status"] = copied(dict(status))
        found["metadata"]["resourceVersion"] = str(next(self._versions))
        return copied(found)

    async def annotate_pods(self, key: Key, names: Sequence[str], annotation: str, value: str) -> None:
        for name in names:
            pod = self.get("Pod", key.namespace, name)
            if pod is not None:
                self._about_to("annotate", pod)
                pod["metadata"]["annotations"][annotation] = value

    async def event(self, about: Obj, kind: str, reason: str, message: str) -> None:
        self.events.append((about["metadata"]["name"], kind, reason, message))

    def _about_to(self, verb: str, obj: Obj) -> None:
        self.fail(verb, obj["kind"])
        self.writes.append((verb, obj["kind"], obj["metadata"]["name"]))


def _at(obj: Any, path: str) -> Any:
    for part in path.split("."):
        obj = obj.get(part) or {}
    return obj


class Crash(BaseException):
    """The controller is killed here: nothing of the turn that follows happens."""


class Outage(ClusterError):
    """The API server does not answer."""


def _covers(before: Any, wanted: Any) -> bool:
    """Whether everything wanted is there already."""
    if isinstance(before, Mapping) and isinstance(wanted, Mapping):
        return all(key in before and _covers(before[key], value) for key, value in wanted.items())
    return bool(before == wanted)


def _over(before: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if before is None:
        return dict(wanted)
    merged = dict(before)
    for key, value in wanted.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping) and key != "data"
        merged[key] = _over(merged[key], value) if nested else value
    return merged
