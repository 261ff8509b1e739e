"""The API server, as the user's kubeconfig reaches it, and its errors in a sentence each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from crossfade_operator.cli.problem import Problem

Obj = Mapping[str, Any]

GROUP, VERSION, PLURAL = "crossfade.dev", "v1alpha1", "modelrollouts"
_CONNECT, _READ = 5.0, 30.0
_FIELD_MANAGER = "kubectl-crossfade"


class Rollouts(Protocol):
    """What the commands need of the cluster. Every method raises `Problem` with a sentence."""

    namespace: str

    def get(self, name: str) -> Obj:
        """The ModelRollout of this name; the problem says which ones exist when it does not."""

    def list(self, *, everywhere: bool = False) -> list[Obj]:
        """All ModelRollouts of the namespace, or of the cluster, by name."""

    def patch(self, name: str, patch: Obj) -> Obj:
        """JSON merge patch of the ModelRollout."""

    def changes(self, name: str, seconds: int) -> Iterator[Obj]:
        """The object now, and each time it changes, for about so many seconds. Ends with a problem when it is gone."""


class KubernetesRollouts:
    """`Rollouts` by a kubeconfig: the file, context and namespace given, else what kubectl would take."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> None:
        self.namespace = namespace or _namespace_of(kubeconfig, context)
        try:
            api_client = config.new_client_from_config(kubeconfig, context)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise _no_kubeconfig(error) from error
        self._api = client.CustomObjectsApi(api_client)
        self._where = api_client.configuration.host

    def get(self, name: str) -> Obj:
        with self._problems():
            try:
                found = self._api.get_namespaced_custom_object(
                    GROUP, VERSION, self.namespace, PLURAL, name, _request_timeout=(_CONNECT, _READ)
                )
            except ApiException as error:
                if error.status != 404:
                    raise
            else:
                return cast(Obj, found)
        raise self._not_found(name)

    def list(self, *, everywhere: bool = False) -> list[Obj]:
        with self._problems():
            if everywhere:
                answer = self._api.list_cluster_custom_object(
                    GROUP, VERSION, PLURAL, _request_timeout=(_CONNECT, _READ)
                )
            else:
                answer = self._api.list_namespaced_custom_object(
                    GROUP, VERSION, self.namespace, PLURAL, _request_timeout=(_CONNECT, _READ)
                )
        items = cast(Obj, answer)["items"]
        return sorted(items, key=lambda obj: (obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def patch(self, name: str, patch: Obj) -> Obj:
        with self._problems():
            patched = self._api.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                self.namespace,
                PLURAL,
                name,
                dict(patch),
                field_manager=_FIELD_MANAGER,
                _content_type="application/merge-patch+json",
                _request_timeout=(_CONNECT, _READ),
            )
        return cast(Obj, patched)

    def changes(self, name: str, seconds: int) -> Iterator[Obj]:
        found = self.get(name)
        yield found
        with self._problems():
            try:
                yield from self._events(name, found["metadata"]["resourceVersion"], seconds)
            except urllib3.exceptions.ReadTimeoutError:
                return
            except ApiException as error:
                if error.status != 410:
                    raise

    def _events(self, name: str, version: str, seconds: int) -> Iterator[Obj]:
        stream = watch.Watch().stream(  # type: ignore[no-untyped-call]
            self._api.list_namespaced_custom_object,
            GROUP,
            VERSION,
            self.namespace,
            PLURAL,
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
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise Problem(_sentence(error, self.namespace)) from error
        except urllib3.exceptions.HTTPError as error:
            raise Problem(
                f"the API server at {self._where} does not answer: {_short(error)}",
                "check the address with: kubectl cluster-info",
            ) from error

    def _not_found(self, name: str) -> Problem:
        names = [obj["metadata"]["name"] for obj in self.list()]
        if names:
            return Problem(f"there is no ModelRollout {name} in namespace {self.namespace}.", f"it has: {_some(names)}")
        return Problem(
            f"namespace {self.namespace} has no ModelRollout at all.",
            "name another one with --namespace, or list every namespace: kubectl crossfade get --all-namespaces",
        )


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


def _sentence(error: ApiException, namespace: str) -> str:
    said = _message(error)
    match error.status:
        case 401:
            return f"the API server does not know who you are: {said}"
        case 403:
            return f"you may not do this in namespace {namespace}: {said}"
        case 404:
            return "the cluster does not know ModelRollouts: install Crossfade's CRDs (see docs/install.md)"
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
