"""Requests to the API server as plain JSON: the official client's connection and credentials, without its models.

Typed models would cost ten times the memory and time of the JSON they wrap, for fields nobody reads.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTResponse
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config
from kubernetes.aio.config.kube_config import load_kube_config
from yaml import YAMLError

from crossfade_operator.ports.cluster import ClusterError, Conflict, Refused, Unreachable
from crossfade_operator.ports.telemetry import CallTelemetry

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
REQUEST_TIMEOUT = 10.0
CONNECT_TIMEOUT = 5.0


class NoCluster(Exception):
    """Nothing says where the API server is; the sentence says what to do."""


class NotFound(ClusterError):
    """There is no such object (HTTP 404)."""

    retry = False


class Expired(ClusterError):
    """The resource version to watch from is too old (HTTP 410): list again."""


@dataclass(frozen=True)
class Credentials:
    """How to reach the API server, for a second client that keeps its own connections."""

    server: str
    ca_path: str | None
    ca_data: str | bytes | None
    certificate_path: str | None
    key_path: str | None
    token: str | None
    insecure: bool


async def configuration(kubeconfig: Path | None = None, environ: Mapping[str, str] = os.environ) -> Configuration:
    """The cluster of `kubeconfig`, else of the pod we run in, else of `$KUBECONFIG` or `~/.kube/config`.

    Raises `NoCluster` when that cannot be read.
    """
    loaded = Configuration()
    try:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in environ:
            load_incluster_config(client_configuration=loaded)  # type: ignore[no-untyped-call]
        else:
            chosen = str(kubeconfig) if kubeconfig else environ.get("KUBECONFIG")
            await load_kube_config(config_file=chosen, client_configuration=loaded)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, ValueError, YAMLError) as error:
        raise NoCluster(f"no way to the API server: {error}; run in a pod, or set KUBECONFIG") from error
    # Looking for proxies and ~/.netrc takes two jobs in threads for every request; a kubeconfig's proxy-url is kept.
    loaded.client_session_kwargs = {"trust_env": False}
    return loaded


class Api:
    """One connection pool to one API server. Errors are those of the `Cluster` port, `NotFound` and `Expired`."""

    def __init__(self, config: Configuration, telemetry: CallTelemetry) -> None:
        self._config = config
        self._client = ApiClient(config)
        self._client.user_agent = "crossfade-operator"
        self._telemetry = telemetry

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def credentials(self) -> Credentials:
        settings = await self._config.auth_settings()
        header = settings["BearerToken"]["value"] if "BearerToken" in settings else ""
        return Credentials(
            server=self._config.host,
            ca_path=self._config.ssl_ca_cert,
            ca_data=None if self._config.ssl_ca_cert else self._config.ca_cert_data,
            certificate_path=self._config.cert_file,
            key_path=self._config.key_file,
            token=str(header).split(" ", 1)[-1].strip() or None,
            insecure=not self._config.verify_ssl,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        within: float = REQUEST_TIMEOUT,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object of its answer, or give up `within` so many seconds."""
        began = time.monotonic()
        outcome = "unreachable"
        try:
            limits = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT_TIMEOUT)
            response = await self._send(method, path, query, body, content_type, accept, limits)
            text = await response.response.read()
            outcome = str(response.status)
            return _answer(response.status, text, f"{method} {path}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unreachable(error, f"{method} {path}") from error
        finally:
            self._telemetry.api_call(method, resource_of(path), outcome, time.monotonic() - began)

    async def watch(
        self, path: str, *, query: Mapping[str, str], accept: str, silence: float
    ) -> AsyncGenerator[dict[str, Any]]:
        """The events of one watch, until the server ends it. `silence` is how long (s) a live one may say nothing."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=silence)
        asked = {**query, "watch": "true", "allowWatchBookmarks": "true"}
        try:
            response = await self._send("GET", path, asked, None, "application/json", accept, limits)
            if response.status != 200:
                _answer(response.status, await response.response.read(), f"WATCH {path}")
            try:
                async for line in response.response.content:
                    yield json.loads(line)
            finally:
                _hang_up(response.response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unreachable(error, f"WATCH {path}") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
        accept: str,
        limits: aiohttp.ClientTimeout,
    ) -> RESTResponse:
        headers = {"Accept": accept, "Content-Type": content_type}
        serialized = await self._client.param_serialize(
            method, path, header_params=headers, auth_settings=["BearerToken"]
        )
        url, sent_headers = serialized[1], serialized[2]
        full = f"{url}?{urlencode(query)}" if query else url
        return await self._client.call_api(method, full, sent_headers, body, _request_timeout=limits)


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Drop the connection at once: an orderly goodbye would wait for a server that goes on sending."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def resource_of(path: str) -> str:
    """The plural a path is about: `/apis/apps/v1/namespaces/a/deployments/b` -> `deployments`."""
    parts = path.strip("/").split("/")
    skip = 2 if parts[0] == "api" else 3
    rest = parts[skip:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    if len(rest) == 3:
        return f"{rest[0]}/{rest[2]}"
    return rest[0] if rest else path


def _answer(status: int, text: bytes, what: str) -> dict[str, Any]:
    if 200 <= status < 300:
        loaded: dict[str, Any] = json.loads(text) if text else {}
        return loaded
    sentence = _sentence(text) or f"HTTP {status}"
    raise _error_for(status)(f"{what}: {sentence}")


def _sentence(text: bytes) -> str:
    try:
        return str(json.loads(text).get("message", ""))
    except (ValueError, AttributeError):
        return text.decode(errors="replace")[:200]


def _error_for(status: int) -> type[ClusterError]:
    """Whether asking again can help depends on the status alone; 401 heals when the token is renewed."""
    known = {401: Unreachable, 404: NotFound, 409: Conflict, 410: Expired, 429: Unreachable}
    return known.get(status, Refused if 400 <= status < 500 else Unreachable)


def _unreachable(error: Exception, what: str) -> Unreachable:
    said = ": ".join(part for part in (type(error).__name__, str(error)) if part)
    return Unreachable(f"{what}: the API server did not answer ({said})")
