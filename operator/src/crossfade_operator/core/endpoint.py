"""An endpoint's turn: from what the rollout is entitled to, to the ledger and the routing table.

The ledger is the one allocation of an endpoint's positions; the table is rendered from it and from nothing else.
A new table gets a new generation, and it is recorded before it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crossfade_operator.api.meta import Condition
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import LedgerArm, LedgerEntry, ModelEndpointStatus, Route
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Stage
from crossfade_operator.core import conditions, ledger
from crossfade_operator.core.conditions import Wanted
from crossfade_operator.core.envoy import content_digest, room_for_runs
from crossfade_operator.core.ledger import (
    CANDIDATES,
    Allotment,
    Claims,
    Entitlement,
    Request,
    allot,
    grant_of,
    ranges_of,
)
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.rollout.view import Routes
from crossfade_operator.core.routing import Backend, InvalidTable, RoutingTable, Slice, digest, name_of_arm
from crossfade_operator.core.slices import percent
from crossfade_operator.ports.routers import RouterReport

REWRITTEN_AFTER = timedelta(seconds=20)
"""How long a table that a router refused stays before it is written again under the next generation."""


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
    requests: tuple[Request, ...] = ()
    """What experiments ask for, who asked first before the others."""
    asking: Mapping[str, Backend] = field(default_factory=dict)
    """How to reach the arms that are asked for, by name."""
    arms: Mapping[str, Backend] = field(default_factory=dict)
    """How to reach the arms that have a Service, asked for or not, by name."""
    latest: Mapping[str, str] = field(default_factory=dict)
    """The newest Decision about each experiment that asks for something new or holds what it no longer asks for."""
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
    more: bool = False
    """Something else is to change as soon as this is recorded."""
    announced: tuple[Request, ...] = ()
    """The requests whose arms need Services."""
    awaited: bool = False
    """An experiment waits for the routers to find its arms."""


def entitlement_of(name: str, status: ModelRolloutStatus) -> Entitlement:
    """What a rollout's status entitles it to: the slice it was granted while it shifts or is analysed, else none."""
    candidate = status.candidate
    decision = status.decisions[-1].name if status.decisions else ""
    settled = Entitlement(name, status.stable_revision, decision=decision, stable_decision=status.stable_decision or "")
    if candidate is not None and candidate.stage is Stage.STARTING:
        return replace(settled, starting=candidate.revision)
    if candidate is None or candidate.stage is Stage.WITHDRAWING:
        return settled
    return replace(
        settled,
        candidate=candidate.revision,
        attempt=candidate.attempt,
        positions=candidate.positions,
        mirror=candidate.mirror,
    )


def held_back(present: ModelEndpointStatus, wanted: Entitlement) -> Entitlement:
    """What may be acted on while a decision is not on record: whatever takes a candidate's users back, nothing else."""
    entry = next((one for one in present.ledger if one.arm in CANDIDATES), None)
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


def routes_of(view: EndpointView, candidate: str | None = None) -> Routes:
    """The routes as recorded, whether every ready router has confirmed them, and whether they reach a candidate."""
    route = view.status.route
    grants = {entry.arm: grant_of(entry) for entry in view.status.ledger}
    return Routes(
        confirmed=route is not None and confirmed_generation(view) >= route.generation,
        stable=view.status.stable_revision,
        candidate=grants.get(LedgerArm.CANDIDATE),
        mirrored=grants.get(LedgerArm.MIRROR),
        holdout=grants.get(LedgerArm.HOLDOUT),
        experiments=sum(entry.positions for entry in view.status.ledger if entry.arm is LedgerArm.EXPERIMENT),
        known=frozenset(route.revisions) if route else frozenset(),
        reachable=reachable(view.reports, candidate) if candidate else None,
    )


def reachable(reports: Sequence[RouterReport], name: str) -> bool | None:
    """Whether every router sees a healthy pod under this name; None when one was not asked or could not say."""
    if not reports or any(name not in report.healthy for report in reports):
        return None
    return all(report.healthy[name] for report in reports)


def reached(view: EndpointView, names: Iterable[str]) -> bool:
    """Whether a table may route to all of these at once: every router runs one that knows them, and reaches each."""
    routes, wanted = routes_of(view), list(names)
    return routes.confirmed and all(name in routes.known and reachable(view.reports, name) for name in wanted)


def no_room(view: EndpointView, positions: int) -> str | None:
    """Why a candidate could not be given this many positions, or None when it could."""
    return ledger.no_room(_claims(view), positions)


def decide(view: EndpointView) -> EndpointTurn:
    """The endpoint's next status and table. The same view always gives the same turn."""
    claims = _claims(view)
    allotment, table = _fitting(view, claims)
    status = view.status.model_copy(
        update={
            "observed_generation": view.generation,
            "salt": _salt(view),
            "rollout": view.entitlement.rollout,
            "stable_revision": table.stable.revision if table.stable else None,
            "candidate_revision": view.entitlement.candidate,
            "refused_requests": allotment.refused,
            "slice": _candidate_slice(allotment.ledger),
            "replicas": view.routers,
            "ready_replicas": view.routers_ready,
        }
    )
    route = _route(view, table, _carried(view, status.stable_revision, allotment))
    status = status.model_copy(update={"route": route, "ledger": _dated(view, allotment.ledger, route.generation)})
    table = replace(table, generation=route.generation, decision=route.decision)
    shown = _conditions(view, status)
    awaited = any(not ledger.is_granted(allotment.ledger, one) for one in allotment.announced)
    status = status.model_copy(update={"conditions": shown})
    return EndpointTurn(status, table, allotment.problem, allotment.more, allotment.announced, awaited)


# Ledger ------------------------------------------------------------------------------------------------------


def _claims(view: EndpointView) -> Claims:
    entries = view.status.ledger

    def room(arms: Sequence[str]) -> int:
        return room_for_runs(_table(view, Allotment(entries)), arms)

    return Claims(
        ledger=entries,
        want=view.entitlement,
        existing=frozenset(view.backends),
        policy=view.spec.policy,
        holdout=view.spec.holdout,
        salt=_salt(view),
        now=view.now,
        requests=view.requests,
        latest=view.latest,
        room=room,
    )


def _fitting(view: EndpointView, claims: Claims) -> tuple[Allotment, RoutingTable]:
    """The allotment and its table. One that is too long for a ConfigMap forgets, first, the revisions that nobody is
    sent to any more; then what experiments ask for anew is refused: users must always be able to be taken back."""
    allotment = allot(claims)
    for one in (allotment, allot(replace(claims, room=lambda _arms: 0))):
        table = _table(view, one)
        for tried in (table, _lean(view, table)):
            if _is_valid(tried):
                return one, tried
    return allotment, _table(view, allotment)


def _lean(view: EndpointView, table: RoutingTable) -> RoutingTable:
    known = (one for one in table.known if one.arm is not None or one.revision == view.entitlement.starting)
    return replace(table, known=tuple(known))


def _is_valid(table: RoutingTable) -> bool:
    try:
        content_digest(table)
    except InvalidTable:
        return False
    return True


def _dated(view: EndpointView, entries: Sequence[LedgerEntry], generation: int) -> tuple[LedgerEntry, ...]:
    """The entries with the generation since which each is as it is; what cools down is in no table."""
    known = {entry.model_copy(update={"generation": 0}): entry.generation for entry in view.status.ledger}
    bare = [entry.model_copy(update={"generation": 0}) for entry in entries]
    return tuple(
        entry
        if entry.arm is LedgerArm.COOLDOWN
        else entry.model_copy(update={"generation": known.get(entry) or generation})
        for entry in bare
    )


def _salt(view: EndpointView) -> str:
    return view.status.salt or view.spec.salt or view.uid


def _candidate_slice(entries: Sequence[LedgerEntry]) -> str:
    return next((percent(entry.positions) for entry in entries if entry.arm is LedgerArm.CANDIDATE), "0%")


# Table -------------------------------------------------------------------------------------------------------


def _table(view: EndpointView, allotment: Allotment) -> RoutingTable:
    spec, stable = view.spec, view.entitlement.stable
    backends = {**view.backends, **_arms(view, allotment)}
    slices = tuple(_slice(entry, backends[name]) for entry in allotment.ledger if (name := _name_of(entry)) in backends)
    routed = {stable, *(one.backend.name for one in slices)}
    stands = stable in view.backends
    return RoutingTable(
        endpoint=view.name,
        generation=0,
        decision="",
        salt=_salt(view),
        stable=view.backends[stable] if stable is not None and stands else None,
        slices=slices if stands else (),
        known=tuple(backends[name] for name in sorted(backends) if name not in routed),
        unit_header=spec.unit.header,
        unit_cookie=spec.unit.cookie,
        latency_bounds=tuple(str(bound) for bound in spec.router.latency_bounds),
        request_timeout=spec.router.request_timeout,
        try_timeout=spec.router.try_timeout,
        health_path=spec.router.health_path,
        reward_header=spec.router.reward_header,
        testers=spec.router.testers.value == "Enabled",
    )


def _name_of(entry: LedgerEntry) -> str | None:
    """The name under which the table knows who answers an entry's users; None for what stable answers."""
    if entry.revision is None or entry.label is None:
        return entry.revision
    return name_of_arm(entry.label, entry.revision)


def _slice(entry: LedgerEntry, backend: Backend) -> Slice:
    mirror = entry.arm is LedgerArm.MIRROR
    label = entry.label or (LedgerArm.CANDIDATE if mirror else entry.arm).value
    return Slice(label, backend, ranges_of(entry), mirror)


def _arms(view: EndpointView, allotment: Allotment) -> dict[str, Backend]:
    """The arms that routers are to find, and those that one of them may still send users to."""
    route, confirmed = view.status.route, routes_of(view).confirmed
    routed = {_name_of(entry) for entry in view.status.ledger}
    known = route.revisions if route else ()
    leaving = {name: one for name, one in view.arms.items() if name in known and (name in routed or not confirmed)}
    announced = {
        name
        for request in allotment.announced
        for arm in request.arms
        if (name := name_of_arm(arm.label, arm.revision)) in view.asking
    }
    return {**leaving, **{name: view.asking[name] for name in announced}}


def _carried(view: EndpointView, stable: str | None, allotment: Allotment) -> str:
    """The decision that a new table is to carry: the one from which its change of anybody's model follows.

    What a holdout's users get when it begins or ends is the stable revision: they have it by the decision that made it
    stable. A table that changes nobody's model (a setting, a revision that is announced) goes on with the one in force.
    """
    present, want = view.status.route, view.entitlement
    before, after = view.status.ledger, allotment.ledger
    moved = stable != view.status.stable_revision or _of(before, *CANDIDATES) != _of(after, *CANDIDATES)
    if present is None or not present.decision or moved:
        return want.decision
    if allotment.cause is not None:
        return allotment.cause
    holdout = _of(before, LedgerArm.HOLDOUT) != _of(after, LedgerArm.HOLDOUT)
    return want.stable_decision or want.decision if holdout else present.decision


def _of(entries: Iterable[LedgerEntry], *arms: LedgerArm) -> list[LedgerEntry]:
    return [entry.model_copy(update={"generation": 0}) for entry in entries if entry.arm in arms]


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
        revisions=tuple(sorted({backend.name for backend in table.backends})),
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
