"""The API server, as the user's kubeconfig reaches it, and its errors in a sentence each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from crossfade_operator.api.meta import API_VERSION, GROUP, VERSION
from crossfade_operator.cli.names import Kind
from crossfade_operator.cli.problem import Problem

Obj = Mapping[str, Any]

_CONNECT, _READ = 5.0, 30.0
_TIMEOUTS = (_CONNECT, _READ)
_ANALYSIS = 60.0
"""Seconds that the analyzer may take: a week of history, or a year of evidence, is read for one question."""
_FIELD_MANAGER = "kubectl-crossfade"
_ANALYZERS = "app.kubernetes.io/part-of=crossfade,app.kubernetes.io/component=analyzer"
"""The labels that the chart gives the analyzer's Service."""


class Refused(Exception):
    """The analyzer answered, but not with what was asked for."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Cluster(Protocol):
    """What the commands need of the cluster. Every method raises `Problem` with a sentence."""

    namespace: str

    def get(self, kind: Kind, name: str) -> Obj:
        """The object of this name; the problem says which ones exist when it does not."""

    def find(self, kind: Kind, name: str) -> Obj | None:
        """The object of this name, or None."""

    def select(self, kind: Kind, fields: Mapping[str, str] | None = None, *, everywhere: bool = False) -> list[Obj]:
        """All objects of the namespace, or of the cluster, whose `fields` have these values; by namespace and name."""

    def patch(self, kind: Kind, name: str, patch: Obj) -> Obj:
        """JSON merge patch of the object."""

    def create(self, kind: Kind, obj: Obj) -> Obj:
        """The object as it was stored."""

    def changes(self, kind: Kind, name: str, seconds: int) -> Iterator[Obj]:
        """The object now, and each time it changes, for about so many seconds. Ends with a problem when it is gone."""

    def whoami(self) -> str:
        """The caller's user name, as admission sees it."""

    def analyzers(self) -> list[str]:
        """The analyzers of the cluster, as NAMESPACE/NAME of their Services."""

    def ask(self, service: str, method: str, path: str, body: Obj | None = None) -> Obj:
        """The JSON answer of a Service, NAMESPACE/NAME, through the API server. Raises `Refused` too."""


class KubernetesCluster:
    """`Cluster` by a kubeconfig: the file, context, namespace and user given, else what kubectl would take."""

    def __init__(
        self,
        kubeconfig: str | None = None,
        context: str | None = None,
        namespace: str | None = None,
        acting_as: str | None = None,
    ) -> None:
        self.namespace = namespace or _namespace_of(kubeconfig, context)
        try:
            self._client = config.new_client_from_config(kubeconfig, context)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise _no_kubeconfig(error) from error
        if acting_as:
            self._client.set_default_header("Impersonate-User", acting_as)
        self._api = client.CustomObjectsApi(self._client)

    def get(self, kind: Kind, name: str) -> Obj:
        found = self.find(kind, name)
        if found is None:
            raise self._not_found(kind, name)
        return found

    def find(self, kind: Kind, name: str) -> Obj | None:
        with self._problems(kind):
            try:
                return self._call(self._api.get_namespaced_custom_object, kind, name)
            except ApiException as error:
                if error.status != 404:
                    raise
        return None

    def select(self, kind: Kind, fields: Mapping[str, str] | None = None, *, everywhere: bool = False) -> list[Obj]:
        selector = ",".join(f"{field}={_escaped(value)}" for field, value in (fields or {}).items())
        with self._problems(kind):
            if everywhere:
                answer = self._api.list_cluster_custom_object(
                    GROUP, VERSION, kind.plural, field_selector=selector, _request_timeout=_TIMEOUTS
                )
            else:
                answer = self._call(self._api.list_namespaced_custom_object, kind, field_selector=selector)
        items = cast(Obj, answer)["items"]
        return sorted(items, key=lambda obj: (obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def patch(self, kind: Kind, name: str, patch: Obj) -> Obj:
        with self._problems(kind):
            return self._call(
                self._api.patch_namespaced_custom_object,
                kind,
                name,
                dict(patch),
                field_manager=_FIELD_MANAGER,
                _content_type="application/merge-patch+json",
            )

    def create(self, kind: Kind, obj: Obj) -> Obj:
        body = {"apiVersion": API_VERSION, "kind": kind.name, **obj}
        with self._problems(kind):
            return self._call(self._api.create_namespaced_custom_object, kind, body, field_manager=_FIELD_MANAGER)

    def changes(self, kind: Kind, name: str, seconds: int) -> Iterator[Obj]:
        found = self.get(kind, name)
        yield found
        with self._problems(kind):
            try:
                yield from self._events(kind, name, found["metadata"]["resourceVersion"], seconds)
            except urllib3.exceptions.ReadTimeoutError:
                return
            except ApiException as error:
                if error.status != 410:
                    raise

    def whoami(self) -> str:
        with self._problems(None):
            answer = client.AuthenticationV1Api(self._client).create_self_subject_review(
                client.V1SelfSubjectReview(), _request_timeout=_TIMEOUTS
            )
        return str(_plain(answer)["status"]["userInfo"]["username"])

    def analyzers(self) -> list[str]:
        with self._problems(None):
            found = client.CoreV1Api(self._client).list_service_for_all_namespaces(
                label_selector=_ANALYZERS, _request_timeout=_TIMEOUTS
            )
        names = (item["metadata"] for item in _plain(found)["items"])
        return sorted(f"{name['namespace']}/{name['name']}" for name in names)

    def ask(self, service: str, method: str, path: str, body: Obj | None = None) -> Obj:
        namespace, _, name = service.partition("/")
        with self._problems(None):
            request = self._client.param_serialize(
                method,
                f"/api/v1/namespaces/{namespace}/services/{name}:http/proxy/{path.lstrip('/')}",
                header_params={"Accept": "application/json", "Content-Type": "application/json"},
                body=dict(body) if body is not None else None,
                auth_settings=["BearerToken"],
            )
            answer = self._client.call_api(*request, _request_timeout=(_CONNECT, _ANALYSIS))
            data = answer.read()
        return _answer(service, answer.status, data)

    def _call(self, function: Callable[..., Any], kind: Kind, *arguments: Any, **options: Any) -> Obj:
        where = (GROUP, VERSION, self.namespace, kind.plural)
        return cast(Obj, function(*where, *arguments, _request_timeout=_TIMEOUTS, **options))

    def _events(self, kind: Kind, name: str, version: str, seconds: int) -> Iterator[Obj]:
        stream = watch.Watch().stream(  # type: ignore[no-untyped-call]
            self._api.list_namespaced_custom_object,
            GROUP,
            VERSION,
            self.namespace,
            kind.plural,
            field_selector=f"metadata.name={name}",
            resource_version=version,
            timeout_seconds=seconds,
            _request_timeout=(_CONNECT, seconds + _READ),
        )
        for event in stream:
            if event["type"] == "DELETED":
                raise Problem(f"{name} was deleted.")
            yield event["object"]

    @contextmanager
    def _problems(self, kind: Kind | None) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise Problem(_sentence(error, self.namespace, kind)) from error
        except urllib3.exceptions.HTTPError as error:
            raise Problem(
                f"the API server at {self._client.configuration.host} does not answer: {_short(error)}",
                "check the address with: kubectl cluster-info",
            ) from error

    def _not_found(self, kind: Kind, name: str) -> Problem:
        names = [obj["metadata"]["name"] for obj in self.select(kind)]
        if names:
            return Problem(f"there is no {kind.name} {name} in namespace {self.namespace}.", f"it has: {_some(names)}")
        return Problem(
            f"namespace {self.namespace} has no {kind.name} at all.",
            f"name another one with --namespace, or list every namespace: kubectl get {kind.plural} --all-namespaces",
        )


def _plain(answer: Any) -> Obj:
    return cast(Obj, client.ApiClient().sanitize_for_serialization(answer))  # type: ignore[no-untyped-call]


def _answer(service: str, status: int, data: bytes) -> Obj:
    """What a Service said; a refusal of the API server in between is told apart from one of the Service."""
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    if isinstance(said, dict) and status < 400:
        return said
    if isinstance(said, dict) and "title" in said:
        raise Refused(status, f"{said['title']}: {said.get('detail', '')}")
    message = said.get("message") if isinstance(said, dict) else None
    reason = str(message or data[:200].decode(errors="replace") or f"HTTP {status}")
    if status in (401, 403):
        raise Problem(
            f"you may not ask the analyzer {service}: {reason}",
            "it takes the rights get and create on services/proxy there: see docs/kubectl-plugin.md",
        )
    raise Problem(f"the analyzer {service} cannot be asked through the API server: {reason}")


def _escaped(value: str) -> str:
    return re.sub(r"([\\,=])", r"\\\1", value)


def _namespace_of(kubeconfig: str | None, context: str | None) -> str:
    try:
        contexts, active = config.list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise _no_kubeconfig(error) from error
    chosen = next((one for one in contexts if one["name"] == context), None) if context else active
    if chosen is None:
        raise Problem(f"the kubeconfig has no context {context}.", f"it has: {_some([c['name'] for c in contexts])}")
    return str((chosen.get("context") or {}).get("namespace") or "default")


def _no_kubeconfig(error: Exception) -> Problem:
    return Problem(f"no usable kubeconfig: {error}", "name one with --kubeconfig FILE or the variable KUBECONFIG")


def _sentence(error: ApiException, namespace: str, kind: Kind | None) -> str:
    said = _message(error)
    match error.status:
        case 401:
            return f"the API server does not know who you are: {said}"
        case 403:
            return f"you may not do this in namespace {namespace}: {said}"
        case 404 if kind is not None:
            return f"the cluster does not know {kind.name}s: install Crossfade's CRDs (see docs/install.md)"
        case 409:
            return f"the object was changed at the same moment: {said}; look at it and try again"
        case _:
            return f"the API server refused ({error.status}): {said}"


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


def _short(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(error).__name__


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
