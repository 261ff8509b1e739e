"""An endpoint's turn: from what the rollout is entitled to, to the ledger and the routing table.

The ledger is the one allocation of an endpoint's positions; the table is rendered from it and from nothing else.
A new table gets a new generation, and it is recorded before it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crossfade_operator.api.meta import Condition
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import (
    LedgerArm,
    LedgerEntry,
    ModelEndpointStatus,
    PositionRange,
    Route,
)
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Stage
from crossfade_operator.core import conditions
from crossfade_operator.core.conditions import Wanted
from crossfade_operator.core.envoy import content_digest
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.view import Routes
from crossfade_operator.core.routing import MOST_POSITIONS, Backend, InvalidTable, RoutingTable, Slice, digest
from crossfade_operator.core.slices import POSITIONS, Grant, NoRoom, Range, allocate, percent, start_of
from crossfade_operator.ports.routers import RouterReport

HOLDOUT = "Holdout"
_CANDIDATES = (LedgerArm.CANDIDATE, LedgerArm.MIRROR)

REWRITTEN_AFTER = timedelta(seconds=20)
"""How long a table that a router refused stays before it is written again under the next generation."""


@dataclass(frozen=True)
class Entitlement:
    """What the rollout that holds the endpoint is entitled to now, by its recorded status."""

    rollout: str | None = None
    stable: str | None = None
    candidate: str | None = None
    positions: int = 0
    mirror: bool = False
    decision: str = ""
    """The rollout's last decision."""
    stable_decision: str = ""
    """The decision by which the stable revision became so."""


@dataclass(frozen=True)
class EndpointView:
    """Everything an endpoint's turn may depend on."""

    name: str
    """`namespace/name`."""
    uid: str
    generation: int
    spec: ModelEndpointSpec
    status: ModelEndpointStatus
    now: datetime
    entitlement: Entitlement = field(default_factory=Entitlement)
    backends: Mapping[str, Backend] = field(default_factory=dict)
    """How to reach each revision that exists, by hash."""
    routers: int = 0
    routers_ready: int = 0
    reports: Sequence[RouterReport] = ()
    """One for every ready router pod, or none at all when nobody had to be asked."""
    refusal: str | None = None
    """The API server's sentence when it refused the router's objects in the last turn."""
    awaited: bool = False
    """A candidate's pods are ready, and wait for the routers to find them."""
    written_generation: int = 0
    """The generation in the ConfigMap, which outlives a lost status."""


@dataclass(frozen=True)
class EndpointTurn:
    """The next status and the table it stands for. `problem` says why a slice could not be granted."""

    status: ModelEndpointStatus
    table: RoutingTable
    problem: str | None = None


def entitlement_of(name: str, status: ModelRolloutStatus) -> Entitlement:
    """What a rollout's status entitles it to: the slice it was granted while it shifts or is analysed, else none."""
    candidate = status.candidate
    decision = status.decisions[-1].name if status.decisions else ""
    settled = Entitlement(name, status.stable_revision, decision=decision, stable_decision=status.stable_decision or "")
    if candidate is None or candidate.stage not in (Stage.SHIFTING, Stage.ANALYZING):
        return settled
    return replace(settled, candidate=candidate.revision, positions=candidate.positions, mirror=candidate.mirror)


def held_back(present: ModelEndpointStatus, wanted: Entitlement) -> Entitlement:
    """What may be acted on while a decision is not on record: whatever takes a candidate's users back, nothing else."""
    entry = next((one for one in present.ledger if one.arm in _CANDIDATES), None)
    kept = replace(
        wanted,
        stable=present.stable_revision,
        candidate=entry.revision if entry else None,
        positions=entry.positions if entry else 0,
        mirror=entry is not None and entry.arm is LedgerArm.MIRROR,
        decision=present.route.decision if present.route else "",
    )
    withdrawn = wanted.stable == kept.stable and kept.candidate is not None and wanted.candidate != kept.candidate
    return replace(kept, candidate=None, positions=0, mirror=False, decision=wanted.decision) if withdrawn else kept


def confirmed_generation(view: EndpointView) -> int:
    """The newest generation that every ready router has run, as recorded or as reported now."""
    recorded = view.status.route.confirmed_generation if view.status.route else 0
    generations = [report.generation for report in view.reports]
    if not generations or any(generation is None for generation in generations):
        return recorded
    return max(recorded, min(generation for generation in generations if generation is not None))


def routes_of(view: EndpointView) -> Routes:
    """The routes as recorded, and whether every ready router has confirmed them."""
    route = view.status.route
    grants = {entry.arm: _grant(entry) for entry in view.status.ledger}
    return Routes(
        confirmed=route is not None and confirmed_generation(view) >= route.generation,
        stable=view.status.stable_revision,
        candidate=grants.get(LedgerArm.CANDIDATE),
        mirrored=grants.get(LedgerArm.MIRROR),
        holdout=grants.get(LedgerArm.HOLDOUT),
        known=frozenset(route.revisions) if route else frozenset(),
        reachable=_reachable(view.reports),
    )


def _reachable(reports: Sequence[RouterReport]) -> bool | None:
    if not reports or any(report.healthy is None for report in reports):
        return None
    return all(report.healthy for report in reports)


def no_room(view: EndpointView, positions: int) -> str | None:
    """Why a candidate could not be given this many positions, or None when it could."""
    held_out = _holdout_ranges(view)
    others = [Grant(HOLDOUT, LedgerArm.HOLDOUT.value, "", held_out)] if held_out else []
    try:
        allocate(positions, start=0, held=(), others=others, floor=_floor(view))
    except NoRoom as refusal:
        return str(refusal)
    return None


def decide(view: EndpointView) -> EndpointTurn:
    """The endpoint's next status and table. The same view always gives the same turn."""
    grants, problem = _ledger(view)
    stable = view.entitlement.stable if view.entitlement.stable in view.backends else None
    table = _table(view, grants, stable)
    status = view.status.model_copy(
        update={
            "observed_generation": view.generation,
            "salt": view.status.salt or view.spec.salt or view.uid,
            "rollout": view.entitlement.rollout,
            "stable_revision": stable,
            "candidate_revision": view.entitlement.candidate,
            "ledger": tuple(_entry(grant) for grant in grants),
            "slice": _candidate_slice(grants),
            "replicas": view.routers,
            "ready_replicas": view.routers_ready,
        }
    )
    status = status.model_copy(update={"route": _route(view, table, _carried(view, status))})
    if status.route:
        table = replace(table, generation=status.route.generation, decision=status.route.decision)
    shown = _conditions(view, status)
    return EndpointTurn(status.model_copy(update={"conditions": shown}), table, problem)


# Ledger ------------------------------------------------------------------------------------------------------


def _ledger(view: EndpointView) -> tuple[tuple[Grant, ...], str | None]:
    holdout = _holdout(view)
    want = view.entitlement
    if want.candidate is None or want.candidate not in view.backends:
        return holdout, None
    arm = LedgerArm.MIRROR if want.mirror else LedgerArm.CANDIDATE
    present = next(
        (entry for entry in view.status.ledger if entry.revision == want.candidate and entry.arm is arm), None
    )
    held = _grant(present).ranges if present else ()
    try:
        ranges = allocate(want.positions, start=start_of(want.candidate), held=held, others=holdout, floor=_floor(view))
    except NoRoom as refusal:
        return (_recorded(view) if present else holdout), str(refusal)
    return (*holdout, Grant(f"ModelRollout/{want.rollout}", arm.value, want.candidate, ranges)), None


def _recorded(view: EndpointView) -> tuple[Grant, ...]:
    """What is granted already stays until what is wanted fits: a holdout that came later takes nobody's positions."""
    return tuple(_grant(entry) for entry in view.status.ledger if entry.revision in view.backends)


def _holdout(view: EndpointView) -> tuple[Grant, ...]:
    """The holdout keeps the revision that was stable when it began, until it ends or that revision is gone."""
    present = next((entry for entry in view.status.ledger if entry.arm is LedgerArm.HOLDOUT), None)
    revision = present.revision if present and present.revision in view.backends else view.entitlement.stable
    ranges = _holdout_ranges(view)
    if not ranges or revision is None or revision not in view.backends:
        return ()
    return (Grant(HOLDOUT, LedgerArm.HOLDOUT.value, revision, ranges),)


def _holdout_ranges(view: EndpointView) -> tuple[Range, ...]:
    """The holdout has the last positions, so that no slice has to grow around it."""
    wanted = view.spec.holdout
    if wanted is None or view.now >= wanted.until:
        return ()
    return ((POSITIONS - wanted.slice.positions, POSITIONS - 1),)


def _floor(view: EndpointView) -> int:
    """A floor below what every table keeps for the comparison would grant slices that no router could be given."""
    return max(view.spec.policy.stable_floor.positions, POSITIONS - MOST_POSITIONS)


def _grant(entry: LedgerEntry) -> Grant:
    ranges = tuple((span.first, span.last) for span in entry.ranges)
    return Grant(entry.holder, entry.arm.value, entry.revision or "", ranges)


def _entry(grant: Grant) -> LedgerEntry:
    return LedgerEntry(
        holder=grant.holder,
        arm=LedgerArm(grant.arm),
        revision=grant.revision,
        positions=grant.positions,
        ranges=tuple(PositionRange(first=first, last=last) for first, last in grant.ranges),
    )


def _candidate_slice(grants: Sequence[Grant]) -> str:
    return next((percent(grant.positions) for grant in grants if grant.arm == LedgerArm.CANDIDATE.value), "0%")


# Table -------------------------------------------------------------------------------------------------------


def _table(view: EndpointView, grants: Sequence[Grant], stable: str | None) -> RoutingTable:
    spec = view.spec
    slices = tuple(
        Slice(
            arm=LedgerArm.CANDIDATE.value if grant.arm == LedgerArm.MIRROR.value else grant.arm,
            backend=view.backends[grant.revision],
            ranges=grant.ranges,
            mirror=grant.arm == LedgerArm.MIRROR.value,
        )
        for grant in grants
    )
    routed = {stable, *(one.backend.revision for one in slices)}
    return RoutingTable(
        endpoint=view.name,
        generation=0,
        decision="",
        salt=view.status.salt or spec.salt or view.uid,
        stable=view.backends[stable] if stable else None,
        slices=slices if stable else (),
        known=tuple(view.backends[revision] for revision in sorted(view.backends) if revision not in routed),
        unit_header=spec.unit.header,
        unit_cookie=spec.unit.cookie,
        latency_bounds=tuple(str(bound) for bound in spec.router.latency_bounds),
        request_timeout=spec.router.request_timeout,
        try_timeout=spec.router.try_timeout,
        health_path=spec.router.health_path,
        reward_header=spec.router.reward_header,
        testers=spec.router.testers.value == "Enabled",
    )


def _carried(view: EndpointView, status: ModelEndpointStatus) -> str:
    """The decision that a new table is to carry: the one from which its change of anybody's model follows.

    What a holdout's users get when it begins or ends is the stable revision: they have it by the decision that made it
    stable. A table that changes nobody's model (a setting, a revision that is announced) goes on with the one in force.
    """
    present, want = view.status.route, view.entitlement
    if present is None or not present.decision or _rollouts_part(status) != _rollouts_part(view.status):
        return want.decision
    return want.stable_decision or want.decision if status.ledger != view.status.ledger else present.decision


def _rollouts_part(status: ModelEndpointStatus) -> tuple[object, ...]:
    return status.stable_revision, tuple(entry for entry in status.ledger if entry.arm in _CANDIDATES)


def _route(view: EndpointView, table: RoutingTable, decision: str) -> Route:
    """A table with another content gets the next generation; a lost status never reuses one that was written."""
    content, present = _content(table), view.status.route
    if present is not None and present.digest == content and not _is_stuck(view, present):
        confirmed = confirmed_generation(view)
        newly = confirmed >= present.generation > present.confirmed_generation
        return present.model_copy(
            update={
                "confirmed_generation": min(confirmed, present.generation),
                "confirmed_at": view.now if newly else present.confirmed_at,
            }
        )
    last = max(present.generation if present else 0, view.written_generation)
    return Route(
        generation=last + 1,
        digest=content,
        decision=decision,
        revisions=tuple(sorted({backend.revision for backend in table.backends})),
        written_at=view.now,
        confirmed_at=None,
        confirmed_generation=min(confirmed_generation(view), last),
    )


def _content(table: RoutingTable) -> str:
    """What identifies a table. An invalid one is never written, but it is recorded, and shown as what was wanted."""
    try:
        return content_digest(table)
    except InvalidTable:
        return digest(table)


def _is_stuck(view: EndpointView, route: Route) -> bool:
    """A router refused this table and runs an older one: it only reads the table again when it changes."""
    refused = any(report.rejected and report.generation != route.generation for report in view.reports)
    return refused and view.now >= route.written_at + REWRITTEN_AFTER


# Conditions --------------------------------------------------------------------------------------------------


def _conditions(view: EndpointView, status: ModelEndpointStatus) -> tuple[Condition, ...]:
    accepted = Wanted("Accepted", True, Reason.ACCEPTED)
    if view.refusal:
        accepted = Wanted("Accepted", False, Reason.INVALID_TABLE, view.refusal)
    wanted = (_ready(view, status), _confirmed(view, status), accepted)
    return conditions.set_all(status.conditions, wanted, generation=view.generation, now=view.now)


def _ready(view: EndpointView, status: ModelEndpointStatus) -> Wanted:
    if status.stable_revision is None:
        return Wanted("Ready", False, Reason.NO_REVISION)
    if view.routers_ready == 0:
        return Wanted("Ready", False, Reason.ROUTERS_STARTING)
    message = f"{view.routers_ready} of {view.spec.router.replicas} routers are ready"
    return Wanted("Ready", True, Reason.ROUTERS_READY, message)


def _confirmed(view: EndpointView, status: ModelEndpointStatus) -> Wanted:
    route = status.route
    if route is not None and route.confirmed_generation >= route.generation:
        return Wanted("RoutersConfirmed", True, Reason.ALL_CONFIRMED)
    behind = [report for report in view.reports if report.generation != (route.generation if route else None)]
    details = "; ".join(_behind(report) for report in behind[:3])
    return Wanted("RoutersConfirmed", False, Reason.CONFIRMATION_PENDING, details)


def _behind(report: RouterReport) -> str:
    refused = f", refused {report.rejected} tables" if report.rejected else ""
    return f"{report.pod}: {report.error or f'runs generation {report.generation}'}{refused}"
