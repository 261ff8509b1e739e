"""One turn of one endpoint: look, decide, record, act. Read this first.

A turn is made from fresh reads and changes nothing that it has not recorded first: the rollout's status, then the
endpoint's ledger, both guarded by their resourceVersion, then the objects that follow from them. Whoever dies in
between leaves a record from which the next turn goes on; whoever decides from a stale read cannot record, and so
cannot act. Two controllers can waste work, but they cannot take a step twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crossfade_analyzer.contract import Evaluation
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout_status import ModelRolloutStatus, Stage
from crossfade_operator.core import decisions, reviews
from crossfade_operator.core import endpoint as endpoints
from crossfade_operator.core.children import arms, revisions, router
from crossfade_operator.core.decisions import subject_of
from crossfade_operator.core.effects import Announce, Apply, Delete, Effect, Poke
from crossfade_operator.core.endpoint import EndpointTurn, EndpointView
from crossfade_operator.core.ledger import shares_of
from crossfade_operator.core.planning import look_is_due, request_for
from crossfade_operator.core.rollout import machine, timing
from crossfade_operator.core.rollout.view import Turn, View
from crossfade_operator.core.routing import InvalidTable
from crossfade_operator.ports.clock import Clock
from crossfade_operator.ports.cluster import Cluster, Key, Obj, Ref
from crossfade_operator.ports.routers import Routers
from crossfade_operator.ports.telemetry import RolloutTelemetry
from crossfade_operator.ports.verdicts import Unavailable, Verdicts
from crossfade_operator.runtime import act, gather
from crossfade_operator.runtime.gather import World
from crossfade_operator.runtime.records import Records

CONFIRMING = timedelta(milliseconds=200)
"""How soon routers are asked again while a fresh table is on its way to them."""

LATE = timedelta(seconds=2)
"""How soon once a table is older than `FRESH`: a router is stuck, and asking more often does not help it."""

FRESH = timedelta(seconds=15)


Refusals = Mapping[str, str]
"""The API server's sentences, by revision, or under `ROUTER`."""

ROUTER = "router"


@dataclass(frozen=True)
class ReconcileSettings:
    """What the installation decides: the routers' image and the cluster's DNS domain."""

    router_image: str
    router_pull_policy: str | None = None
    cluster_domain: str = "cluster.local"


@dataclass(frozen=True)
class Outcome:
    """When this key has to be looked at again although nothing changes; None when never."""

    requeue_at: datetime | None


class Reconciler:
    """Makes turns. It remembers nothing that matters: only what the API server last refused, to show it."""

    def __init__(
        self,
        cluster: Cluster,
        routers: Routers,
        verdicts: Verdicts,
        clock: Clock,
        telemetry: RolloutTelemetry,
        settings: ReconcileSettings,
    ) -> None:
        self._cluster, self._routers, self._verdicts = cluster, routers, verdicts
        self._clock, self._telemetry, self._settings = clock, telemetry, settings
        self._refusals: dict[str, Refusals] = {}
        self._records = Records(cluster)

    async def reconcile(self, key: Key) -> Outcome:
        """One turn. Raises what `ports.cluster` raises: the caller decides when to try again."""
        world = await gather.look(self._cluster, self._routers, key, self._clock.now())
        seen = None
        if world.endpoint is not None:
            refused = self._refused(world.endpoint).get(ROUTER)
            seen = gather.endpoint_view(world, world.endpoint, refused, self._settings.cluster_domain)
        else:
            self._telemetry.endpoint_gone(key)
        due = [await self._rollout_turn(world, rollout, seen) for rollout in world.rollouts]
        if seen is not None and world.endpoint is not None and world.active is None:
            due.append(await self._endpoint_turn(world, world.endpoint, seen))
        return Outcome(min(filter(None, due), default=None))

    # A rollout -----------------------------------------------------------------------------------------------

    async def _rollout_turn(self, world: World, rollout: Obj, seen: EndpointView | None) -> datetime | None:
        view = gather.rollout_view(world, rollout, seen, self._refused(rollout), self._records.problem(rollout))
        view = replace(view, recorded=self._records.made(rollout, view.status))
        view = await self._judged(world, rollout, view)
        turn = machine.decide(view)
        recorded = await self._record(rollout, view.status, turn)
        if world.endpoint is None or seen is None or view.claimed_by is not None:
            return None
        self._tell(world.key, turn, view)
        on_record = await self._put_on_record(world, rollout, view, turn, seen)
        after = replace(view, status=turn.status)
        templates = revisions.templates_on_record(world.children) | {view.target: view.spec.template.manifest()}
        kept = revisions.replicas_by_revision(after.spec, after.status, after.routes, after.now)
        entitlement = endpoints.entitlement_of(view.name, turn.status)
        entitled = replace(
            seen,
            entitlement=entitlement if on_record else endpoints.held_back(seen.status, entitlement),
            backends=revisions.backends(rollout, kept, templates, self._settings.cluster_domain),
            awaited=_is_awaited(after),
        )
        refused = await self._apply_revisions(self._actors(world, recorded), rollout, kept, templates)
        due = [await self._endpoint_turn(world, world.endpoint, entitled), timing.due_at(after)]
        await act.apply_all(self._actors(world, recorded), _farewell(rollout, kept, world, turn))
        news = self._records.problem(rollout) != view.unrecorded
        moved = _moved(view.status, turn.status) and not _waits_for_news(world, turn)
        if self._remember(rollout, refused) or news or moved:
            return world.now
        return min(filter(None, due), default=None)

    async def _judged(self, world: World, rollout: Obj, view: View) -> View:
        """The view with the analyzer's answer, when a look is due."""
        candidate = view.status.candidate
        if candidate is None or view.claimed_by is not None or not view.endpoint_found or not look_is_due(view):
            return view
        uid = rollout["metadata"]["uid"]
        subject = subject_of(world.key.namespace, view.name, uid, candidate.revision, candidate.attempt)
        answer: Evaluation | Unavailable = await self._verdicts.evaluate(request_for(subject, view, candidate))
        if isinstance(answer, Evaluation):
            self._telemetry.evaluation(world.key.namespace, view.name, answer.verdict.value, answer.metrics)
        return replace(view, evaluation=answer, now=max(view.now, self._clock.now()))

    async def _record(self, rollout: Obj, before: ModelRolloutStatus, turn: Turn) -> Obj:
        """What is known of the objects of decisions is written along, but never alone."""
        if turn.status.model_copy(update={"decisions_recorded": before.decisions_recorded}) == before:
            return rollout
        return await self._cluster.write_status(rollout, turn.status.manifest())

    async def _put_on_record(self, world: World, rollout: Obj, view: View, turn: Turn, seen: EndpointView) -> bool:
        """Make the objects of the decisions that are not known to have one. Whether all have one now."""
        due = decisions.pending(turn.status, view.recorded)
        about = decisions.About(
            namespace=world.key.namespace,
            name=view.name,
            uid=rollout["metadata"]["uid"],
            spec=view.spec,
            retention=seen.spec.policy.retention,
            route=seen.status.route,
            stable_decision=view.status.stable_decision,
            metrics=turn.status.metrics,
            checks=decisions.checks_of(view),
            reviews=reviews.notes(view.reviews),
        )
        objects = [decisions.decision_object(entry, about, newest=entry is due[-1]) for entry in due]
        complete = await self._records.make(rollout, objects) if due else True
        standing = self._records.made(rollout, turn.status)
        left = len(decisions.pending(turn.status, standing))
        self._telemetry.decisions(world.key.namespace, view.name, made=len(due) - left, pending=left)
        return complete

    async def _apply_revisions(
        self, actors: act.Actors, rollout: Obj, kept: Mapping[str, int], templates: revisions.Templates
    ) -> Refusals:
        refused = {}
        for name, replicas in sorted(kept.items()):
            sentence = await act.apply_all(actors, revisions.applied(rollout, {name: replicas}, templates))
            if sentence is not None:
                refused[name] = sentence
        return refused

    def _tell(self, key: Key, turn: Turn, view: View) -> None:
        status, granted = turn.status, view.routes.candidate
        share = granted.positions / 1000 if granted else 0.0
        self._telemetry.rollout(
            key.namespace, view.name, phase=str(status.phase), reason=str(status.reason), share=share
        )
        if status.decision_count != view.status.decision_count:
            decision = status.decisions[-1]
            self._telemetry.decision(key.namespace, view.name, action=decision.action.value, reason=decision.reason)

    # The endpoint --------------------------------------------------------------------------------------------

    async def _endpoint_turn(self, world: World, endpoint: Obj, view: EndpointView) -> datetime | None:
        turn = endpoints.decide(view)
        if turn.status != view.status:
            await self._cluster.write_status(endpoint, turn.status.manifest())
        refused = await self._apply_router(world, endpoint, turn)
        self._tell_routers(world.key, view, turn)
        if self._remember(endpoint, {} if refused is None else {ROUTER: refused}):
            return world.now
        return _endpoint_due(view, turn, refused)

    async def _apply_router(self, world: World, endpoint: Obj, turn: EndpointTurn) -> str | None:
        """Write the table and what runs it. A table that routers would refuse never replaces the last good one."""
        spec = ModelEndpointSpec.model_validate(endpoint["spec"]).router
        image = spec.image or self._settings.router_image
        pods = router.Pods(image, spec.replicas, spec.resources, self._settings.router_pull_policy)
        owner = router.Owner.of(endpoint)
        try:
            manifests = router.router_manifests(owner, turn.table, pods)
        except InvalidTable as invalid:
            return str(invalid)
        effects: list[Effect] = [*arms.applied(owner, turn.announced), *(Apply(manifest) for manifest in manifests)]
        effects += _without_testers(world, turn)
        lagging = [pod["metadata"]["name"] for pod in gather.router_pods(world.children) if not _poked(pod, turn)]
        if lagging:
            effects.append(Poke(tuple(lagging), turn.table.generation))
        known = {backend.name for backend in turn.table.backends}
        effects += arms.deleted(world.children.services, known, self._settings.cluster_domain)
        return await act.apply_all(self._actors(world, endpoint), effects)

    def _tell_routers(self, key: Key, view: EndpointView, turn: EndpointTurn) -> None:
        route = turn.status.route
        if route is None:
            return
        self._telemetry.shares(key, shares_of(turn.status))
        running = sum(report.generation == route.generation for report in view.reports)
        self._telemetry.routers(
            key,
            generation=route.generation,
            ready=view.routers_ready,
            confirmed=running if view.reports else view.routers_ready,
            rejected=sum(report.rejected for report in view.reports),
        )

    # Both ----------------------------------------------------------------------------------------------------

    def _actors(self, world: World, *objects: Obj) -> act.Actors:
        about = [*objects, *([world.endpoint] if world.endpoint else [])]
        return act.Actors(self._cluster, world.key, {(obj["kind"], obj["metadata"]["name"]): obj for obj in about})

    def _refused(self, obj: Obj) -> Refusals:
        return self._refusals.get(obj["metadata"]["uid"], {})

    def _remember(self, obj: Obj, refusals: Refusals) -> bool:
        """Keep what was refused about an object, so that the next turn shows it. Whether that is news."""
        before = self._refused(obj)
        self._refusals.pop(obj["metadata"]["uid"], None)
        if refusals:
            self._refusals[obj["metadata"]["uid"]] = refusals
        return before != refusals


def _farewell(rollout: Obj, kept: Mapping[str, int], world: World, turn: Turn) -> Iterator[Effect]:
    yield from revisions.deleted(rollout, kept, world.children)
    yield from (event for event in turn.events if isinstance(event, Announce))


def _moved(before: ModelRolloutStatus, after: ModelRolloutStatus) -> bool:
    """Whether the turn made a move, so that the next one may follow at once."""
    stages = [status.candidate.stage if status.candidate else None for status in (before, after)]
    return before.decision_count != after.decision_count or stages[0] is not stages[1]


def _waits_for_news(world: World, turn: Turn) -> bool:
    """Whether nothing can follow before the watch tells of a Deployment that was only just asked for."""
    candidate = turn.status.candidate
    if candidate is None or candidate.stage is not Stage.STARTING:
        return False
    return not any(
        one["metadata"]["labels"].get("crossfade.dev/revision") == candidate.revision
        for one in world.children.deployments
    )


def _is_awaited(view: View) -> bool:
    candidate = view.status.candidate
    starting = candidate is not None and candidate.stage is Stage.STARTING
    return candidate is not None and starting and view.pods_of(candidate.revision).all_ready


def _poked(pod: Obj, turn: EndpointTurn) -> bool:
    annotations = pod["metadata"].get("annotations", {})
    return bool(annotations.get(router.GENERATION_ANNOTATION) == str(turn.table.generation))


def _without_testers(world: World, turn: EndpointTurn) -> Iterator[Effect]:
    name = router.testers_name(world.key.endpoint)
    if not turn.table.testers:
        yield from (Delete(Ref.of(one)) for one in world.children.services if one["metadata"]["name"] == name)


def _endpoint_due(view: EndpointView, turn: EndpointTurn, refused: str | None) -> datetime | None:
    route, moments = turn.status.route, []
    if turn.more:
        return view.now
    awaited = view.awaited or turn.awaited
    if route is not None and view.routers_ready and (route.confirmed_generation < route.generation or awaited):
        fresh = abs(view.now - route.written_at) < FRESH  # a clock that was set back makes nothing fresh for long
        moments.append(view.now + (CONFIRMING if fresh else LATE))
    if view.spec.holdout is not None and view.spec.holdout.until > view.now:
        moments.append(view.spec.holdout.until)
    moments += [entry.until for entry in turn.status.ledger if entry.until is not None]
    if refused or turn.problem:
        moments.append(view.now + timing.RETRY)
    return min(moments, default=None)
