"""The API server as the tests of this folder talk to it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from crossfade_operator.api.crd import RESOURCES
from crossfade_operator.api.meta import API_VERSION, GROUP, VERSION
from dev.cluster.programs import Programs

ROOT = Path(__file__).parents[3]
DEADLINE = 120.0
PLURALS = {resource.kind: resource.plural for resource in RESOURCES}


class Refused(Exception):
    """The API server's own sentence."""


@dataclass(frozen=True)
class Server:
    """Creates, changes and reads objects of our kinds in one namespace."""

    api: client.ApiClient
    kubeconfig: Path
    namespace: str

    def create(self, obj: Mapping[str, Any], *, keep: bool = False) -> dict[str, Any]:
        """What the API server makes of `obj`, strictly read; nothing stays unless `keep`. Raises Refused."""
        options = {"field_validation": "Strict"} | ({} if keep else {"dry_run": "All"})
        return self._said(self._objects.create_namespaced_custom_object, *self._kind(obj), obj, **options)

    def patch(self, obj: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """The stored object, merged with `changes` of its spec. Raises Refused."""
        body = {"spec": changes}
        return self._said(self._objects.patch_namespaced_custom_object, *self._named(obj), body)

    def set_status(self, obj: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
        """The stored object, with `status` merged into its own. Raises Refused."""
        body = {"status": status}
        return self._said(self._objects.patch_namespaced_custom_object_status, *self._named(obj), body)

    def get(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """The stored object."""
        return self._said(self._objects.get_namespaced_custom_object, *self._named(obj))

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """What kubectl prints. Raises Refused with what it complains of."""
        done = subprocess.run(self.argv(*arguments), input=text, capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    def argv(self, *arguments: str) -> list[str]:
        """kubectl with our cluster and namespace."""
        program = str(Programs.cached().path("kubectl"))
        return [program, f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    @property
    def _objects(self) -> client.CustomObjectsApi:
        return client.CustomObjectsApi(self.api)

    def _kind(self, obj: Mapping[str, Any]) -> tuple[str, str, str, str]:
        return GROUP, VERSION, self.namespace, PLURALS[obj["kind"]]

    def _named(self, obj: Mapping[str, Any]) -> tuple[str, ...]:
        return *self._kind(obj), obj["metadata"]["name"]

    def _said(self, call: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = call(*arguments, **options)
        except ApiException as refusal:
            if refusal.status not in (400, 422):
                raise
            raise Refused(json.loads(refusal.body)["message"]) from refusal
        return answer


def install(api: client.ApiClient) -> None:
    """Our definitions, as they are committed, served and ready."""
    definitions = client.ApiextensionsV1Api(api)
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        manifest = yaml.safe_load(path.read_text())
        try:
            definitions.create_custom_resource_definition(manifest)
        except ApiException as refusal:
            if refusal.status != 409:
                raise
        _wait_until_served(api, manifest["metadata"]["name"], manifest["spec"]["names"]["plural"])


def _wait_until_served(api: client.ApiClient, name: str, plural: str) -> None:
    """Established does not yet mean that this API server answers for it: only an answer does."""
    deadline, seen = time.monotonic() + DEADLINE, "nothing"
    while time.monotonic() < deadline:
        try:
            client.CustomObjectsApi(api).list_cluster_custom_object(GROUP, VERSION, plural)
        except ApiException as refusal:
            seen = f"{refusal.status} {refusal.reason}"
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{name} is not served after {DEADLINE:.0f} s; last seen: {seen}")


def manifest(kind: str, spec: Mapping[str, Any], name: str = "ranker") -> dict[str, Any]:
    """An object of one of our kinds."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
