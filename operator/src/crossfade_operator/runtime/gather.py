"""Looking: everything a turn depends on, read once, turned into the views that decisions are made from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from crossfade_operator.api.decision import SubjectKind
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import ModelEndpointStatus
from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.modelrollout_status import TOKEN_LENGTH, Candidate, ModelRolloutStatus, Stage
from crossfade_operator.core import reviews
from crossfade_operator.core.children import arms, revisions
from crossfade_operator.core.children.router import GENERATION_ANNOTATION
from crossfade_operator.core.endpoint import EndpointView, no_room, reached, routes_of
from crossfade_operator.core.experiment import holding
from crossfade_operator.core.ledger import Request, is_granted
from crossfade_operator.core.modeldigest import MixedImages, model_digest
from crossfade_operator.core.planning import BUILT_IN, MetricMissing, plan_for
from crossfade_operator.core.pods import is_ready, pods_of
from crossfade_operator.core.revision import revision_of
from crossfade_operator.core.rollout import policy
from crossfade_operator.core.rollout.checks import step_index
from crossfade_operator.core.rollout.records import number_of
from crossfade_operator.core.rollout.view import Routes, View
from crossfade_operator.core.routing import name_of_arm
from crossfade_operator.core.signatures import NAME_LENGTH, signer
from crossfade_operator.ports.cluster import Children, Cluster, Key, Obj
from crossfade_operator.ports.routers import RouterPod, RouterReport, Routers
from crossfade_operator.runtime import asking, opinions

REQUESTED_BY = "crossfade.dev/requested-by"
RATIONALE = "crossfade.dev/rationale"
"""Who asks to promote, and why. Admission sees that it is the caller's own name; abort and retry may be signed."""

REQUESTS = {f"crossfade.dev/{verb}": verb for verb in ("promote", "abort", "retry")}


@dataclass(frozen=True)
class World:
    """What was read for one key. The endpoint, its rollouts and their Metrics are fresh; children may lag."""

    key: Key
    now: datetime
    endpoint: Obj | None
    rollouts: Sequence[Obj]
    children: Children
    metrics: Mapping[str, Obj]
    reports: Sequence[RouterReport]
    experiments: Sequence[Obj] = ()
    decided: asking.Decisions = field(default_factory=dict)
    """Decisions about the experiments whose slice is to change, by holder."""
    reviews: Sequence[Obj] = ()
    """Reviews of the active rollout, and of its decisions that are to be reviewed afterwards."""
    gating: Sequence[Obj] = ()
    """Decisions about the experiments that the active rollout's gates ask for."""
    numbered: Mapping[str, int] = field(default_factory=dict)
    """The highest number of a decision by name of a rollout that has made none: a namesake of it has been here."""

    @property
    def active(self) -> Obj | None:
        """The rollout that holds the endpoint: the recorded one while it exists, else the oldest."""
        holder = (self.endpoint or {}).get("status", {}).get("rollout")
        named = [rollout for rollout in self.rollouts if rollout["metadata"]["name"] == holder]
        return next(iter([*named, *self.rollouts]), None)


async def look(cluster: Cluster, routers: Routers, key: Key, now: datetime) -> World:
    """Read everything for one key."""
    endpoint, rollouts, running, children = await asyncio.gather(
        cluster.endpoint(key), cluster.rollouts(key), cluster.experiments(key), cluster.children(key)
    )
    living = _living(rollouts)
    world = World(
        key, now, endpoint, living, children, {}, (), experiments=[one for one in running if not holding.is_gone(one)]
    )
    if endpoint is None:
        return world
    status = ModelEndpointStatus.model_validate(endpoint.get("status") or {})
    decided = await asking.decisions(cluster, key.namespace, world.experiments, status)
    world = replace(world, decided=decided)
    metrics = await cluster.metrics(key.namespace, _own_metrics(living))
    world = replace(world, metrics=metrics, numbered=await _numbered(cluster, key, living))
    if world.active is not None:
        spec = ModelEndpointSpec.model_validate(endpoint["spec"])
        said = await opinions.reviews_of(cluster, key, world.active)
        made = await opinions.decisions_for(cluster, key, world.active, spec)
        gating = opinions.without_predecessors(made, world.experiments)
        world = replace(world, reviews=said, gating=gating)
    awaited = {*_awaited_revisions(world), *_awaited_arms(world, status)}
    pods = _to_ask(endpoint, children, always=bool(awaited))
    return replace(world, reports=await routers.reports(pods, names=sorted(awaited)))


def _living(objects: Sequence[Obj]) -> list[Obj]:
    return [obj for obj in objects if not obj["metadata"].get("deletionTimestamp")]


async def _numbered(cluster: Cluster, key: Key, rollouts: Sequence[Obj]) -> dict[str, int]:
    """Decisions outlive what they are about, so a new rollout goes on counting where its namesake ended."""
    new = [rollout["metadata"]["name"] for rollout in rollouts if not rollout.get("status", {}).get("decisionCount")]
    fields = [{"spec.subject.kind": "ModelRollout", "spec.subject.name": name} for name in new]
    found = await asyncio.gather(*(cluster.decisions(key.namespace, one) for one in fields))
    return {
        name: max((number_of(obj["metadata"]["name"]) for obj in decisions), default=0)
        for name, decisions in zip(new, found, strict=True)
    }


def _awaited_revisions(world: World) -> Iterator[str]:
    """The revision that waits for its routers to find its pods, if one does."""
    candidate = (world.active or {}).get("status", {}).get("candidate") or {}
    if candidate.get("stage") == Stage.STARTING:
        yield candidate["revision"]


def _awaited_arms(world: World, status: ModelEndpointStatus) -> Iterator[str]:
    """The names of the arms that the table announces and that hold nothing yet."""
    known = status.route.revisions if status.route else ()
    for request in asking.requests(world.experiments, status, world.decided):
        if not is_granted(status.ledger, request):
            names = (name_of_arm(arm.label, arm.revision) for arm in request.arms)
            yield from (name for name in names if name in known)


def _own_metrics(rollouts: Sequence[Obj]) -> list[str]:
    specs = [ModelRolloutSpec.model_validate(rollout["spec"]) for rollout in rollouts]
    used = {use.metric for spec in specs for use in spec.strategy.analysis.metrics}
    return sorted(used - BUILT_IN.keys())


def router_pods(children: Children) -> list[Obj]:
    """The router pods, ready or not."""
    return [pod for pod in children.pods if pod["metadata"]["labels"].get("crossfade.dev/component") == "router"]


def _to_ask(endpoint: Obj, children: Children, *, always: bool) -> list[RouterPod]:
    """Every ready router, as long as one of them may not run the newest table; an idle endpoint asks nobody."""
    route = endpoint.get("status", {}).get("route")
    ready = [pod for pod in router_pods(children) if is_ready(pod)]
    poked = all(
        pod["metadata"].get("annotations", {}).get(GENERATION_ANNOTATION) == str((route or {}).get("generation"))
        for pod in ready
    )
    if route is None or (route.get("confirmedGeneration", 0) >= route["generation"] and poked and not always):
        return []
    return [RouterPod(pod["metadata"]["name"], pod["status"]["podIP"]) for pod in ready if pod["status"].get("podIP")]


# Views -------------------------------------------------------------------------------------------------------


def endpoint_view(world: World, endpoint: Obj, refusal: str | None, domain: str = "cluster.local") -> EndpointView:
    """The endpoint as read, without what its rollout is entitled to. `domain` is the cluster's, in DNS."""
    pods = router_pods(world.children)
    written = [
        int(obj["metadata"].get("annotations", {}).get(GENERATION_ANNOTATION, 0)) for obj in world.children.config_maps
    ]
    status = ModelEndpointStatus.model_validate(endpoint.get("status") or {})
    asked = asking.requests(world.experiments, status, world.decided)
    view = EndpointView(
        name=str(world.key),
        uid=endpoint["metadata"]["uid"],
        generation=endpoint["metadata"]["generation"],
        spec=ModelEndpointSpec.model_validate(endpoint["spec"]),
        status=status,
        now=world.now,
        asking=arms.asked_for(asked, world.key.namespace, domain),
        arms=arms.existing(world.children.services, domain),
        latest=asking.latest(world.decided),
        routers=len(pods),
        routers_ready=sum(map(is_ready, pods)),
        reports=world.reports,
        written_generation=max(written, default=0),
        refusal=refusal,
    )
    return replace(view, requests=tuple(_reached(view, request) for request in asked))


def _reached(view: EndpointView, request: Request) -> Request:
    names = [name_of_arm(arm.label, arm.revision) for arm in request.arms]
    return replace(request, reached=reached(view, names))


def rollout_view(
    world: World,
    rollout: Obj,
    endpoint: EndpointView | None,
    refusals: Mapping[str, str] = MappingProxyType({}),
    unrecorded: str | None = None,
) -> View:
    """A rollout as read. The evaluation, when one is due, is added by whoever asks for it."""
    spec = ModelRolloutSpec.model_validate(rollout["spec"])
    status = ModelRolloutStatus.model_validate(rollout.get("status") or {})
    active = world.active or rollout
    routes = routes_of(endpoint, status.candidate.revision if status.candidate else None) if endpoint else Routes()
    annotations = rollout["metadata"].get("annotations", {})
    asked = {verb: annotations[name][:TOKEN_LENGTH] for name, verb in REQUESTS.items() if name in annotations}
    view = View(
        name=rollout["metadata"]["name"],
        generation=rollout["metadata"]["generation"],
        spec=spec,
        status=status,
        target=revision_of(spec.template.manifest()),
        now=world.now,
        endpoint_found=endpoint is not None,
        claimed_by=None if active["metadata"]["uid"] == rollout["metadata"]["uid"] else active["metadata"]["name"],
        routes=routes,
        refusals=refusals,
        numbered=world.numbered.get(rollout["metadata"]["name"], 0),
        unrecorded=unrecorded,
        requests=asked,
        signers={verb: signer(annotations, verb, token) for verb, token in asked.items()},
    )
    view = _with_pods(world, _with_plan(world, view, endpoint), rollout)
    if endpoint is None or view.claimed_by is not None:
        return view
    return _with_opinions(world, view, endpoint.spec, rollout)


def _with_opinions(world: World, view: View, endpoint: ModelEndpointSpec, rollout: Obj) -> View:
    candidate, annotations = view.status.candidate, rollout["metadata"].get("annotations") or {}
    said = opinions.seen(reviews.of_its_life(world.reviews, rollout), SubjectKind.MODEL_ROLLOUT)
    view = replace(
        view,
        reviews=reviews.of_revision(said, candidate.revision) if candidate else (),
        reviewed=opinions.reviewed(view.status, world.reviews),
        unproven_positions=endpoint.policy.unproven_slice.positions,
        uncounted=reviews.uncounted((view.spec.owner, candidate.owner if candidate else None), endpoint.policy),
        override_approvals=endpoint.policy.reviews.override_approvals,
        requested_by=(annotations.get(REQUESTED_BY) or "")[:NAME_LENGTH] or None,
        rationale=annotations.get(RATIONALE),
    )
    unclear = _unclear(world, view, rollout)
    return replace(
        view,
        unmet_gate=opinions.unmet_gate(view, endpoint, world.key.endpoint, world.gating, unclear),
        policy_problem=policy.lacks(view, endpoint.policy.evaluation),
    )


def _with_pods(world: World, view: View, rollout: Obj) -> View:
    kept = revisions.replicas_by_revision(view.spec, view.status, view.routes, view.now)
    seen = {}
    for name, wanted in kept.items():
        mine = {"crossfade.dev/revision": name, "crossfade.dev/rollout": rollout["metadata"]["name"]}
        deployments = [obj for obj in world.children.deployments if mine.items() <= obj["metadata"]["labels"].items()]
        seen[name] = pods_of(next(iter(deployments), None), _pods_of(world, rollout, name), wanted)
    return replace(view, pods=seen, model_digest=_model_digest(world, view, rollout))


def _model_digest(world: World, view: View, rollout: Obj) -> str | None:
    """What the candidate's ready pods run; None while they do not say, or differ from each other."""
    try:
        return _candidates_model(world, view, rollout)
    except MixedImages:
        return None


def _unclear(world: World, view: View, rollout: Obj) -> str | None:
    """A sentence about what pods of the candidate run that differ from each other."""
    try:
        _candidates_model(world, view, rollout)
    except MixedImages as mixed:
        return str(mixed)
    return None


def _candidates_model(world: World, view: View, rollout: Obj) -> str | None:
    candidate = view.status.candidate
    if candidate is None:
        return None
    template = revisions.template_of(world.children, view.target, view.spec.template.manifest(), candidate.revision)
    return model_digest(template, _pods_of(world, rollout, candidate.revision)) if template else None


def _pods_of(world: World, rollout: Obj, revision: str) -> list[Obj]:
    mine = {"crossfade.dev/revision": revision, "crossfade.dev/rollout": rollout["metadata"]["name"]}
    return [pod for pod in world.children.pods if mine.items() <= pod["metadata"]["labels"].items()]


def _wanted(spec: ModelRolloutSpec, candidate: Candidate) -> int:
    """The positions for which there must be room: those of the first step, of the one granted, or of the next."""
    if candidate.stage is Stage.SHIFTING:
        return candidate.positions
    steps, index = spec.strategy.steps, step_index(spec, candidate)
    return steps[index if candidate.stage is Stage.STARTING else min(index + 1, len(steps) - 1)].slice.positions


def _with_plan(world: World, view: View, endpoint: EndpointView | None) -> View:
    candidate = view.status.candidate
    if endpoint is None or candidate is None or candidate.stage is Stage.WITHDRAWING:
        return view
    view = replace(view, no_room=no_room(endpoint, _wanted(view.spec, candidate)))
    own = {name: MetricSpec.model_validate(obj["spec"]) for name, obj in world.metrics.items()}
    try:
        return replace(view, plan=plan_for(endpoint.name, endpoint.spec, view.spec, own))
    except MetricMissing as missing:
        return replace(view, plan_problem=str(missing))
