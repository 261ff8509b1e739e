"""Tries out a cell of the permission matrix: a real request with a real object, as somebody else, as a dry run."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from kubernetes import client

from dev.permissions.chart import Release
from dev.permissions.identities import ADMINISTRATORS, Identity
from dev.permissions.matrix import ALLOWED, NO_ROLE, name_of, place
from dev.permissions.things import CALLER, Thing

Json = dict[str, Any]
Headers = list[tuple[str, str]]

MARK = "test.example.com/thing"
JSON = ("Content-Type", "application/json")
MERGE = ("Content-Type", "application/merge-patch+json")
POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'")
MASTERS = "system:masters"


class Attempts:
    """Asks the API server. What it stores is there to be read, changed and deleted; no attempt leaves a trace."""

    def __init__(self, cluster: client.Configuration, release: Release) -> None:
        self._release = release
        self._client = _connection(cluster)

    def close(self) -> None:
        self._client.close()

    def store(self, thing: Thing) -> None:
        """Create the object that the attempts are about, as an administrator of records too."""
        obj = self._manifest(thing, _slug(thing), "ada")
        answer = self._send("POST", self._collection(thing), obj, _as("ada", (MASTERS, ADMINISTRATORS)))
        assert answer.status_code in (201, 409), answer.text
        if thing.status:
            came, admin = {"status": thing.status}, _as("ada", (MASTERS,))
            answer = self._send("PATCH", f"{self._object(thing)}/status", came, admin, kind=MERGE)
            assert answer.is_success, answer.text

    def verdict(self, identity: Identity, verb: str, thing: Thing, *, more: Sequence[str] = ()) -> str:
        """ALLOWED, NO_ROLE or the policy that refused. `more` are groups on top of the identity's own."""
        answer = self._attempt(_as(identity.user, (*identity.groups, *more)), identity.user, verb, thing)
        if answer.is_success or (verb == "create" and answer.status_code == 409):  # it is there already
            return ALLOWED
        message = json.loads(answer.read())["message"]
        assert answer.status_code == 403, message
        found = POLICY.search(message)
        return self._short(found[1]) if found else NO_ROLE

    def _attempt(self, headers: Headers, user: str, verb: str, thing: Thing) -> httpx.Response:
        path, dry = self._object(thing), {"dryRun": "All"}
        match verb:
            case "get":
                return self._send("GET", path, None, headers)
            case "list":
                return self._send("GET", self._collection(thing), None, headers, {"limit": "1"})
            case "watch":
                return self._begun(self._collection(thing), headers)
            case "create":
                obj = self._manifest(thing, f"{_slug(thing)}-new", user)
                return self._send("POST", self._collection(thing), obj, headers, dry)
            case "update":
                return self._send("PUT", path, self._changed(thing, user), headers, dry)
            case "patch":
                return self._send("PATCH", path, _filled(thing.change, user), headers, dry, MERGE)
            case "delete":
                return self._send("DELETE", path, None, headers, dry)
            case "deletecollection":
                chosen = {"labelSelector": f"{MARK}={_slug(thing)}"}
                return self._send("DELETE", self._collection(thing), None, headers, {**dry, **chosen})
        raise AssertionError(verb)

    def _changed(self, thing: Thing, user: str) -> Json:
        stored = self._send("GET", self._object(thing), None, _as("ada", (MASTERS,)))
        assert stored.is_success, stored.text
        return _merged(stored.json(), _filled(thing.change, user))

    def _begun(self, path: str, headers: Headers) -> httpx.Response:
        """A watch that is let go as soon as it is answered; what is refused is read."""
        with self._client.stream("GET", path, params={"watch": "true"}, headers=headers) as answer:
            if not answer.is_success:
                answer.read()
            return answer

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Headers,
        query: Mapping[str, str] | None = None,
        kind: tuple[str, str] = JSON,
    ) -> httpx.Response:
        return self._client.request(method, path, json=body, headers=[*headers, kind], params=query)

    def _manifest(self, thing: Thing, name: str, user: str) -> Json:
        metadata = {"name": name_of(thing, self._release) or name, "labels": {MARK: _slug(thing)}}
        head = {"apiVersion": thing.api_version, "kind": thing.kind, "metadata": metadata}
        return _merged(head, _filled(thing.body, user))

    def _collection(self, thing: Thing) -> str:
        root = f"/apis/{thing.api_version}" if thing.group else f"/api/{thing.api_version}"
        namespace = place(thing, self._release)
        return f"{root}/namespaces/{namespace}/{thing.plural}" if namespace else f"{root}/{thing.plural}"

    def _object(self, thing: Thing) -> str:
        path = f"{self._collection(thing)}/{name_of(thing, self._release) or _slug(thing)}"
        return f"{path}/{thing.subresource}" if thing.subresource else path

    def _short(self, policy: str) -> str:
        before, after = self._release.policy("\0").split("\0")
        assert (policy.startswith(before), policy.endswith(after)) == (True, True), policy
        return policy.removeprefix(before).removesuffix(after)


def _connection(cluster: client.Configuration) -> httpx.Client:
    context = ssl.create_default_context(cafile=cluster.ssl_ca_cert)
    context.load_cert_chain(cluster.cert_file, cluster.key_file)
    return httpx.Client(base_url=cluster.host, verify=context, timeout=60, trust_env=False)


def _as(user: str, groups: Sequence[str]) -> Headers:
    return [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)]


def _slug(thing: Thing) -> str:
    """A name for the object that is about this thing, short enough for every kind."""
    return f"{thing.plural[:20]}-{hashlib.sha256(thing.title.encode()).hexdigest()[:8]}"


def _filled(part: Any, user: str) -> Any:
    """`part` with the caller's user name where it says so."""
    return json.loads(json.dumps(part).replace(CALLER, user))


def _merged(into: Mapping[str, Any], change: Mapping[str, Any]) -> Json:
    """A JSON merge patch, as far as it only adds and replaces."""
    merged = dict(into)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(value, Mapping) and isinstance(old, Mapping) else value
    return merged
