"""An Experiment and what stands around it, as the learning controller sees it, so that both say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from crossfade_operator.api.experiment import ExperimentSpec
from crossfade_operator.api.experiment_status import ExperimentPhase, ExperimentStatus
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelendpoint_status import ModelEndpointStatus
from crossfade_operator.api.review import ReviewSpec
from crossfade_operator.cli.client import Cluster
from crossfade_operator.cli.names import ENDPOINT, METRIC, REVIEW, Kind
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.values import Obj, time
from crossfade_operator.core.experiment import planning
from crossfade_operator.core.experiment.view import EndpointSeen, MetricSeen, ReviewSeen, View
from crossfade_operator.core.reviews import of_its_life
from crossfade_operator.core.revision import revision_of

_NEW = (None, ExperimentPhase.DRAFT, ExperimentPhase.IN_REVIEW)
"""Phases in which the design may still change, and so has the digest of what is written now."""

Model = TypeVar("Model", bound=BaseModel)


def view_of(cluster: Cluster, experiment: Obj, now: datetime, beside: Sequence[Obj] = ()) -> View:
    """The experiment with its endpoint, Metrics and reviews. Objects `beside` it go before those of the cluster.

    Raises `Problem` for a specification that cannot be read.
    """
    meta = experiment["metadata"]
    spec = parsed(ExperimentSpec, experiment, "spec")
    status = parsed(ExperimentStatus, experiment, "status")
    if status.run not in (0, spec.run):
        status = ExperimentStatus(observed_generation=status.observed_generation)
    seen = View(
        namespace=meta.get("namespace") or cluster.namespace,
        name=meta["name"],
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 0),
        spec=spec,
        status=status,
        now=now,
        endpoint=_endpoint(cluster.find(ENDPOINT, spec.endpoint) or _among(beside, ENDPOINT, spec.endpoint)),
        reviews=_reviews(cluster, experiment),
    )
    metrics, problems = _metrics(cluster, spec, beside)
    return replace(seen, metrics=metrics, metric_problems=problems)


def design_hash(view: View) -> str:
    """The digest of the design: the frozen one, or that of what is written now."""
    if view.status.phase not in _NEW and view.status.design_hash:
        return view.status.design_hash
    if view.status.design_hash and view.status.observed_generation == view.generation and view.metric_problems:
        return view.status.design_hash
    return planning.design_hash(view.spec, planning.pins(view))


def parsed(model: type[Model], obj: Obj, part: str) -> Model:
    """A part of an object. Raises `Problem` that names the field."""
    try:
        return model.model_validate(obj.get(part) or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join([part, *(str(piece) for piece in first["loc"])])
        raise Problem(f"{obj['kind']} {obj['metadata']['name']}, {where}: {first['msg']}") from error


def _among(objects: Sequence[Obj], kind: Kind, name: str) -> Obj | None:
    return next((obj for obj in objects if obj["kind"] == kind.name and obj["metadata"]["name"] == name), None)


def _endpoint(obj: Obj | None) -> EndpointSeen | None:
    if obj is None:
        return None
    return EndpointSeen(parsed(ModelEndpointSpec, obj, "spec"), parsed(ModelEndpointStatus, obj, "status"))


def _metrics(
    cluster: Cluster, spec: ExperimentSpec, beside: Sequence[Obj]
) -> tuple[Mapping[str, MetricSeen], tuple[str, ...]]:
    found: dict[str, MetricSeen] = {}
    problems = []
    for name, pinned in sorted(planning.own_metrics(spec).items()):
        obj = _among(beside, METRIC, name) or cluster.find(METRIC, name)
        if obj is None:
            problems.append(f"there is no Metric {name!r} in this namespace; create it")
            continue
        metric = parsed(MetricSpec, obj, "spec")
        revision = revision_of(metric.manifest())
        if pinned not in (None, revision):
            problems.append(f"Metric {name!r} is in revision {revision} now, and the design pins {pinned}")
        else:
            found[name] = MetricSeen(revision, metric)
    return found, tuple(problems)


def _reviews(cluster: Cluster, experiment: Obj) -> tuple[ReviewSeen, ...]:
    about = {"spec.subject.kind": "Experiment", "spec.subject.name": experiment["metadata"]["name"]}
    found = of_its_life(cluster.select(REVIEW, about), experiment)
    return tuple(sorted(map(review_of, found), key=lambda one: (one.created, one.name)))


def review_of(obj: Obj) -> ReviewSeen:
    """A Review as the rules take it."""
    created = time(obj["metadata"].get("creationTimestamp")) or datetime.min.replace(tzinfo=UTC)
    return ReviewSeen(obj["metadata"]["name"], parsed(ReviewSpec, obj, "spec"), created)
