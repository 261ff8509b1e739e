"""The routing table of an endpoint: who is answered by which revision, and what makes a table impossible.

A table is a value. `core.envoy.render` turns it into what a router reads; `check` refuses, with a sentence,
whatever a router would reject or would answer users wrongly with.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise

from crossfade_operator.core.assignment import POSITIONS
from crossfade_operator.core.revision import arm_key, served_by

ARMS = ("candidate", "holdout")
"""The arms of an endpoint itself; an experiment's are called `<experiment>.<arm>`."""

MOST_POSITIONS = 950
"""Stable keeps at least 5 % of the positions: without a control there is nothing to compare with."""

_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?\.[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_REVISION = re.compile(r"[a-z0-9]{1,40}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,253}")
_BOUND = re.compile(r"([0-9]{1,6})(ms|s|m|h|d)")
_RESERVED = re.compile(r"x-arm|x-abucket|x-crossfade-.*|x-envoy-.*|host|connection|te|transfer-encoding|upgrade")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class InvalidTable(ValueError):
    """This table must not reach a router; the text says why."""


@dataclass(frozen=True)
class Backend:
    """The pods of one revision: the name that their headless Service has in DNS, and their ports.

    An experiment's arm has pods of its own, whatever they run: `arm` is its label then, `<experiment>.<arm>`.
    """

    revision: str
    host: str
    http_port: int
    grpc_port: int | None = None
    arm: str | None = None

    @property
    def name(self) -> str:
        """Identifies them in the table, and names their clusters."""
        return self.revision if self.arm is None else name_of_arm(self.arm, self.revision)

    @property
    def served(self) -> str:
        """What the counters say when they have answered."""
        return self.revision if self.arm is None else served_by(self.arm, self.revision)


@lru_cache(maxsize=1024)
def name_of_arm(label: str, revision: str) -> str:
    """The name of the backend of an arm, by its label `<experiment>.<arm>`."""
    experiment, _, arm = label.partition(".")
    return arm_key(experiment, arm, revision)


@dataclass(frozen=True)
class Slice:
    """Positions that are not stable's. `ranges` are inclusive, sorted and disjoint.

    A `mirror` slice is answered by stable, and its requests are copied to `backend`, whose answers go nowhere.
    """

    arm: str
    backend: Backend
    ranges: tuple[tuple[int, int], ...]
    mirror: bool = False

    @property
    def positions(self) -> int:
        """How many of the 1,000 positions the slice holds."""
        return sum(last - first + 1 for first, last in self.ranges)


@dataclass(frozen=True, kw_only=True)
class RoutingTable:
    """Everything a router of one endpoint needs to know.

    `known` are revisions that no route leads to, but whose pods the routers resolve and check already: announce a
    candidate here before its first slice, and keep a revision here until its routes are gone everywhere. Routes and
    pods then never change in one step, and no request meets a revision that its router has still to find.
    """

    endpoint: str
    generation: int
    decision: str
    salt: str
    stable: Backend | None
    slices: tuple[Slice, ...] = ()
    known: tuple[Backend, ...] = ()
    unit_header: str | None = None
    unit_cookie: str | None = None
    latency_bounds: tuple[str, ...] = ("5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2500ms")
    request_timeout: timedelta = timedelta(seconds=60)
    try_timeout: timedelta | None = None
    health_path: str | None = None
    reward_header: str | None = None
    testers: bool = False

    @property
    def backends(self) -> Iterator[Backend]:
        """Every revision that the table names, stable first; one may come more than once."""
        if self.stable:
            yield self.stable
        yield from (one.backend for one in self.slices)
        yield from self.known

    @property
    def runs(self) -> Iterator[str]:
        """The arm of every run of positions that are routed alike, in order: what makes the table long."""
        before = None
        found = {place: one for one in self.slices for first, last in one.ranges for place in range(first, last + 1)}
        for position in range(POSITIONS):
            one = found.get(position)
            if position == 0 or one is not before:
                yield one.arm if one and not one.mirror else "stable"
            before = one


def digest(table: RoutingTable) -> str:
    """SHA-256 (hex) of what the table does. Generation and decision are left out: equal digests route alike."""
    content = {key: value for key, value in asdict(table).items() if key not in ("generation", "decision")}
    text = json.dumps(content, sort_keys=True, default=lambda span: span.total_seconds())
    return hashlib.sha256(text.encode()).hexdigest()


def milliseconds(bound: str) -> int:
    """The length of a latency bound such as `25ms` or `1s`."""
    parts = _BOUND.fullmatch(bound)
    if not parts or int(parts[1]) == 0:
        raise InvalidTable(f"latency bound {bound!r} is not a duration above zero such as 25ms or 1s")
    return int(parts[1]) * _MILLISECONDS[parts[2]]


def check(table: RoutingTable) -> None:
    """Raise `InvalidTable` with the first thing that is wrong."""
    _check_identity(table)
    _check_unit(table)
    _check_observation(table)
    _check_timeouts(table)
    _check_backends(table)
    _check_slices(table)


def _refuse_unless(holds: object, sentence: str) -> None:
    if not holds:
        raise InvalidTable(sentence)


def _check_identity(table: RoutingTable) -> None:
    namespace, _, name = table.endpoint.partition("/")
    _refuse_unless(namespace and name, f"endpoint {table.endpoint!r} is not of the form namespace/name")
    _refuse_unless(table.generation >= 0, f"generation {table.generation} is negative")
    _refuse_unless(len(table.decision) <= 253, "the decision's name is longer than 253 characters")
    _refuse_unless(
        _PRINTABLE.fullmatch(table.salt), "the salt must be 1 to 253 printable ASCII characters without spaces"
    )


def _check_unit(table: RoutingTable) -> None:
    header, cookie = table.unit_header, table.unit_cookie
    _refuse_unless((header is None) != (cookie is None), "exactly one of unit header and unit cookie must be given")
    if header is not None:
        _check_header("unit header", header)
    if cookie is not None:
        _refuse_unless(_TOKEN.fullmatch(cookie), f"unit cookie {cookie!r} is not a cookie name")


def _check_header(what: str, name: str) -> None:
    _refuse_unless(_TOKEN.fullmatch(name), f"{what} {name!r} is not a header name")
    _refuse_unless(not _RESERVED.fullmatch(name.lower()), f"{what} {name!r} is reserved: choose another header")


def _check_observation(table: RoutingTable) -> None:
    bounds = table.latency_bounds
    _refuse_unless(1 <= len(bounds) <= 12, f"{len(bounds)} latency bounds are given: 1 to 12 are possible")
    for shorter, longer in pairwise(bounds):
        _refuse_unless(
            milliseconds(shorter) < milliseconds(longer),
            f"latency bounds must increase, but {longer} follows {shorter}",
        )
    milliseconds(bounds[0])
    if table.reward_header is not None:
        _check_header("reward header", table.reward_header)


def _check_timeouts(table: RoutingTable) -> None:
    whole, single = table.request_timeout, table.try_timeout
    _refuse_unless(timedelta(0) < whole <= timedelta(days=1), f"request timeout {whole} is not within 24 hours")
    if single is not None:
        _refuse_unless(
            timedelta(0) < single <= whole, f"try timeout {single} must be above zero and within {whole}, the request's"
        )
    if table.health_path is not None:
        _refuse_unless(
            table.health_path.startswith("/") and _PRINTABLE.fullmatch(table.health_path),
            f"health path {table.health_path!r} must start with / and have neither spaces nor control characters",
        )


def _check_backends(table: RoutingTable) -> None:
    seen: dict[str, Backend] = {}
    for backend in table.backends:
        name = backend.served
        known = _REVISION.fullmatch(backend.revision)
        _refuse_unless(known, f"revision {backend.revision!r} is not made of 1 to 40 letters a-z and digits")
        _refuse_unless(backend.arm is None or _LABEL.fullmatch(backend.arm), f"arm {backend.arm!r} is no arm's label")
        _refuse_unless(_HOST.fullmatch(backend.host), f"revision {name}: {backend.host!r} is not a host name")
        for port in (backend.http_port, backend.grpc_port):
            _refuse_unless(port is None or 0 < port < 65536, f"revision {name}: port {port} is not within 1..65535")
        _refuse_unless(seen.setdefault(name, backend) == backend, f"revision {name} has two different addresses")


def _check_slices(table: RoutingTable) -> None:
    _refuse_unless(table.stable or not table.slices, "a slice needs a stable revision to fall back to")
    taken: dict[int, str] = {}
    arms: dict[str, str] = {}
    for one in table.slices:
        _check_slice(table, one)
        holder = f"the {one.arm} slice of revision {one.backend.revision}"
        other = arms.setdefault(one.arm, one.backend.served)
        _refuse_unless(other == one.backend.served, f"{holder} comes beside one of revision {other}")
        for position in _positions(one, holder):
            _refuse_unless(position not in taken, f"position {position} is in {taken.get(position)} and in {holder}")
            taken[position] = holder
    given = sum(one.positions for one in table.slices if not one.mirror)
    _refuse_unless(
        given <= MOST_POSITIONS,
        f"the slices take {given / 10:g} % of the users: at most {MOST_POSITIONS / 10:g} % may leave stable",
    )


def _check_slice(table: RoutingTable, one: Slice) -> None:
    own = one.backend.arm
    _refuse_unless(
        one.arm == own if own else one.arm in ARMS,
        f"arm {one.arm!r} is unknown: a slice is one of {', '.join(ARMS)}, or that of an experiment's own pods",
    )
    if one.arm == "candidate":
        revision = one.backend.revision
        _refuse_unless(
            table.stable is None or table.stable.revision != revision,
            f"revision {revision} is stable and cannot have the candidate's slice too",
        )
    _refuse_unless(not one.mirror or one.arm == "candidate", "only a candidate can be mirrored to")


def _positions(one: Slice, holder: str) -> Iterator[int]:
    _refuse_unless(one.ranges, f"{holder} holds no position")
    before = -1
    for first, last in one.ranges:
        _refuse_unless(
            0 <= first <= last < POSITIONS, f"{holder}: {first}..{last} is not a range within 0..{POSITIONS - 1}"
        )
        _refuse_unless(first > before, f"{holder}: its ranges overlap or are not sorted at {first}..{last}")
        yield from range(first, last + 1)
        before = last
