"""Looking: everything a turn of one experiment depends on, read once, turned into the view it is decided from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.experiment import ExperimentSpec, ExperimentType
from crossfade_operator.api.experiment_status import ExperimentPhase, ExperimentStatus
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import ModelEndpointStatus
from crossfade_operator.api.review import ReviewSpec
from crossfade_operator.core.experiment import arms as arm_objects
from crossfade_operator.core.experiment.planning import own_metrics
from crossfade_operator.core.experiment.results import CALIBRATION_CHECKS
from crossfade_operator.core.experiment.view import (
    ArmSeen,
    DecisionSeen,
    EndpointSeen,
    MetricSeen,
    ReviewSeen,
    View,
)
from crossfade_operator.core.modeldigest import MixedImages, model_digest
from crossfade_operator.core.pods import pods_of
from crossfade_operator.core.reviews import of_its_life
from crossfade_operator.core.revision import revision_of
from crossfade_operator.core.signatures import signer, state_of
from crossfade_operator.ports.cluster import Key, Obj
from crossfade_operator.ports.learning import ArmObjects, LearningCluster, Name

Phase = ExperimentPhase
Template = Mapping[str, Any]

BEFORE_FREEZE = (None, Phase.DRAFT, Phase.IN_REVIEW)
WITH_EVIDENCE = (Phase.RUNNING, Phase.INTERRUPTED, Phase.STOPPED, Phase.DECIDED, Phase.INVALID)


@dataclass(frozen=True)
class World:
    """What was read for one experiment. Primaries are fresh; the arms' objects may lag."""

    name: Name
    now: datetime
    experiment: Obj
    endpoint: Obj | None
    objects: ArmObjects
    metrics: Mapping[str, MetricSeen]
    metric_problems: tuple[str, ...]
    reviews: Sequence[Obj]
    decisions: Sequence[Obj]
    siblings: Sequence[Obj]
    templates: Mapping[str, Template]
    """Templates on the serving side's record, by revision."""


async def look(cluster: LearningCluster, experiment: Obj, now: datetime) -> World:
    """Read everything that the experiment's phase asks for."""
    meta, spec = experiment["metadata"], ExperimentSpec.model_validate(experiment["spec"])
    name, key = Name(meta["namespace"], meta["name"]), Key(meta["namespace"], spec.endpoint)
    status = ExperimentStatus.model_validate(experiment.get("status") or {})
    endpoint, objects, reviews, decisions, siblings = await asyncio.gather(
        cluster.endpoint(key),
        cluster.arms(name, spec.endpoint),
        _reviews(cluster, name, status),
        _decisions(cluster, name, status),
        _siblings(cluster, key, spec, status),
    )
    metrics, problems = await _metrics(cluster, name, spec, status)
    wanted = _templates_wanted(spec, status, endpoint, objects)
    found = await asyncio.gather(*(cluster.template(key, revision) for revision in wanted))
    templates = {revision: one for revision, one in zip(wanted, found, strict=True) if one is not None}
    return World(name, now, experiment, endpoint, objects, metrics, problems, reviews, decisions, siblings, templates)


async def _reviews(cluster: LearningCluster, name: Name, status: ExperimentStatus) -> Sequence[Obj]:
    found = list(await cluster.reviews(name.namespace, "Experiment", name.name))
    for due in status.reviews_due:
        found += await cluster.reviews(name.namespace, "Decision", due.decision)
    return found


async def _decisions(cluster: LearningCluster, name: Name, status: ExperimentStatus) -> Sequence[Obj]:
    """Only before a Decision is numbered: those of an earlier experiment of this name count too."""
    if status.phase in (Phase.DRAFT, Phase.IN_REVIEW, Phase.DECIDED, Phase.ARCHIVED):
        return ()
    fields = {"spec.subject.kind": "Experiment", "spec.subject.name": name.name}
    return await cluster.decisions(name.namespace, fields)


async def _siblings(
    cluster: LearningCluster, key: Key, spec: ExperimentSpec, status: ExperimentStatus
) -> Sequence[Obj]:
    asked = status.phase in (Phase.RUNNING, Phase.INTERRUPTED, Phase.STOPPED) and spec.type is not ExperimentType.AA
    return await cluster.experiments(key) if asked and not spec.dry_run else ()


async def _metrics(
    cluster: LearningCluster, name: Name, spec: ExperimentSpec, status: ExperimentStatus
) -> tuple[dict[str, MetricSeen], tuple[str, ...]]:
    """The Metrics in the revisions that the design uses, and a sentence for each that is not there."""
    if status.phase not in BEFORE_FREEZE:
        return {}, ()
    wanted = own_metrics(spec)
    present = await cluster.metrics(name.namespace, sorted(wanted))
    found: dict[str, MetricSeen] = {}
    problems: list[str] = []
    for metric, pinned in sorted(wanted.items()):
        seen = await _metric(cluster, Name(name.namespace, metric), present.get(metric), pinned)
        if isinstance(seen, MetricSeen):
            found[metric] = seen
        else:
            problems.append(seen)
    return found, tuple(problems)


async def _metric(cluster: LearningCluster, name: Name, present: Obj | None, pinned: str | None) -> MetricSeen | str:
    if present is not None:
        spec = MetricSpec.model_validate(present["spec"])
        revision = revision_of(spec.manifest())
        if pinned in (None, revision):
            return MetricSeen(revision, spec)
    elif pinned is None:
        return f"there is no Metric {name.name!r} in this namespace; create it"
    recorded = await cluster.metric_revision(name, str(pinned))
    if recorded is None:
        return f"there is no revision {pinned} of Metric {name.name!r} on record; pin another, or none"
    return MetricSeen(str(pinned), MetricSpec.model_validate(recorded))


def _templates_wanted(
    spec: ExperimentSpec, status: ExperimentStatus, endpoint: Obj | None, objects: ArmObjects
) -> list[str]:
    """The revisions whose templates are to be asked of the serving side's record."""
    if status.phase in BEFORE_FREEZE:
        stable = ((endpoint or {}).get("status") or {}).get("stableRevision")
        needs_it = any(arm.revision is not None for arm in spec.design.arms)
        return [stable] if stable and needs_it else []
    if status.phase not in arm_objects.WITH_PODS or spec.dry_run:
        return []
    recorded = {_label(obj, "revision") for obj in objects.controller_revisions}
    written = {revision_of(arm.template.manifest()) for arm in spec.design.arms if arm.template is not None}
    return sorted({arm.revision for arm in status.arms} - recorded - written)


def _label(obj: Obj, name: str) -> str | None:
    found: str | None = obj["metadata"].get("labels", {}).get(f"crossfade.dev/{name}")
    return found


# The view -----------------------------------------------------------------------------------------------------------


def view_of(world: World, refusal: str | None) -> View:
    """The experiment as read. What the analyzer says, and what became of a Decision, is added by whoever asks."""
    meta = world.experiment["metadata"]
    objects = world.objects
    spec = ExperimentSpec.model_validate(world.experiment["spec"])
    seen = View(
        namespace=world.name.namespace,
        name=world.name.name,
        uid=meta["uid"],
        generation=meta["generation"],
        spec=spec,
        status=ExperimentStatus.model_validate(world.experiment.get("status") or {}),
        now=world.now,
        endpoint=_endpoint(world.endpoint),
        metrics=world.metrics,
        metric_problems=world.metric_problems,
        reviews=tuple(_review(obj) for obj in of_its_life(world.reviews, world.experiment)),
        decisions=tuple(_decision(obj) for obj in world.decisions),
        leftovers=bool(objects.deployments or objects.controller_revisions),
        calibration=_calibration(world),
        asked_by=signer(meta.get("annotations") or {}, "state", state_of(spec.run, spec.desired_state)),
        deleting=bool(meta.get("deletionTimestamp")),
        refusal=refusal,
    )
    return replace(seen, arms=_arms(world, seen))


def _endpoint(obj: Obj | None) -> EndpointSeen | None:
    if obj is None:
        return None
    status = ModelEndpointStatus.model_validate(obj.get("status") or {})
    return EndpointSeen(ModelEndpointSpec.model_validate(obj["spec"]), status)


def _review(obj: Obj) -> ReviewSeen:
    created = datetime.fromisoformat(obj["metadata"]["creationTimestamp"])
    return ReviewSeen(obj["metadata"]["name"], ReviewSpec.model_validate(obj["spec"]), created)


def _decision(obj: Obj) -> DecisionSeen:
    spec = obj["spec"]
    return DecisionSeen(obj["metadata"]["name"], spec["subject"]["uid"], DecisionAction(spec["action"]))


def _calibration(world: World) -> str | None:
    """What an A/A experiment of the endpoint found wrong with the measuring, until it is archived or run again."""
    for sibling in world.siblings:
        spec, status = sibling["spec"], sibling.get("status") or {}
        if spec.get("type") != "AA" or spec.get("dryRun") or status.get("phase") not in WITH_EVIDENCE:
            continue
        failed = [one for one in status.get("checks", ()) if one["name"] in CALIBRATION_CHECKS and not one["passed"]]
        if failed:
            told = "; ".join(f"{one['name']}: {one.get('message', '')}" for one in failed)
            return f"the A/A experiment {sibling['metadata']['name']!r} is out of tolerance ({told})"
    return None


def _arms(world: World, view: View) -> dict[str, ArmSeen]:
    if view.status.arms:
        return {arm.name: _pinned(world, view, arm.name, arm.revision, arm.replicas) for arm in view.status.arms}
    return {arm.name: _designed(world, view, arm.name) for arm in view.spec.design.arms}


def _designed(world: World, view: View, name: str) -> ArmSeen:
    """An arm before it is frozen: only its template matters."""
    arm = next(arm for arm in view.spec.design.arms if arm.name == name)
    if arm.template is not None:
        return ArmSeen(template=arm.template.manifest())
    stable = view.endpoint.status.stable_revision if view.endpoint else None
    template = world.templates.get(stable) if stable else None
    if template is not None:
        return ArmSeen(template=template)
    if view.endpoint is None:
        return ArmSeen()
    missing = f"its revision {stable} has no template on record" if stable else "it has none yet"
    problem = f"arm {name} is to be the stable revision of {view.spec.endpoint}, but {missing}"
    return ArmSeen(problem=problem)


def _pinned(world: World, view: View, name: str, revision: str, replicas: int) -> ArmSeen:
    mine = arm_objects.selector(view.name, name, revision).items()

    def own(objects: Sequence[Obj]) -> list[Obj]:
        return [obj for obj in objects if mine <= obj["metadata"]["labels"].items()]

    deployments, records, pods = (
        own(objects) for objects in (world.objects.deployments, world.objects.controller_revisions, world.objects.pods)
    )
    template = _template(world, view, name, revision, records)
    problem = None if template is not None else f"the template of its revision {revision} is on no record any more"
    digest = None
    if template is not None:
        try:
            digest = model_digest(template, pods)
        except MixedImages as mixed:
            problem = str(mixed)
    return ArmSeen(
        template=template,
        pods=pods_of(next(iter(deployments), None), pods, replicas),
        digest=digest,
        problem=problem,
        exists=bool(deployments or records),
    )


def _template(world: World, view: View, name: str, revision: str, records: Sequence[Obj]) -> Template | None:
    for record in records:
        recorded: Template | None = record.get("data", {}).get("template")
        if recorded is not None:
            return recorded
    arm = next((arm for arm in view.spec.design.arms if arm.name == name), None)
    if arm is not None and arm.template is not None and revision_of(arm.template.manifest()) == revision:
        return arm.template.manifest()
    return world.templates.get(revision)
