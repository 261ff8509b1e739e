"""Model and schema are two renderings of one definition: what one takes the other takes, defaults included."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from crossfade_operator.api.decision import DecisionSpec
from crossfade_operator.api.experiment import ExperimentSpec
from crossfade_operator.api.meta import SpecModel
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout import ModelRolloutSpec
from crossfade_operator.api.review import ReviewSpec
from tests.integration.api import edges
from tests.integration.api.manifests import SPECS, with_values
from tests.integration.api.server import Refused, Server, manifest

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Kind:
    """A kind, its model and the values to try on it."""

    name: str
    model: type[SpecModel]
    edges: dict[str, list[Any]]
    rest: dict[str, Any]
    """Values that make all of the edges' fields reachable."""

    @property
    def spec(self) -> dict[str, Any]:
        return with_values(SPECS[self.name], self.rest)


KINDS = [
    Kind(
        "ModelEndpoint",
        ModelEndpointSpec,
        edges.ENDPOINT,
        {"holdout": {"slice": "1%", "until": "2027-01-01T00:00:00Z"}},
    ),
    Kind("ModelRollout", ModelRolloutSpec, edges.ROLLOUT, {}),
    Kind("Metric", MetricSpec, edges.METRIC, {"mock": {"values": [{"arm": "control", "value": "2%"}]}}),
    Kind("Experiment", ExperimentSpec, edges.EXPERIMENT, {}),
    Kind("Decision", DecisionSpec, edges.DECISION, {}),
    Kind("Review", ReviewSpec, edges.REVIEW, {"reason": "Because."}),
]
BY_KIND = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def by_model(kind: Kind, spec: dict[str, Any]) -> dict[str, Any] | ValidationError:
    try:
        return kind.model.model_validate(spec).manifest()
    except ValidationError as refusal:
        return refusal


def by_server(server: Server, kind: Kind, spec: dict[str, Any]) -> dict[str, Any] | Refused:
    try:
        stored: dict[str, Any] = server.create(manifest(kind.name, spec))["spec"]
    except Refused as refusal:
        return refusal
    return stored


def compare(server: Server, kind: Kind, spec: dict[str, Any]) -> tuple[bool, str | None]:
    """Whether the API server takes the spec, and how the model sees it differently, if it does."""
    ours, theirs = by_model(kind, spec), by_server(server, kind, spec)
    taken = isinstance(theirs, dict)
    if isinstance(ours, dict) != taken:
        return taken, f"model: {ours}\nAPI server: {theirs}"
    # Read again, because a time may be written in another zone; the names, because a reader might add a default.
    if taken and (kind.model.model_validate(ours) != kind.model.model_validate(theirs) or set(ours) != set(theirs)):
        return taken, f"model: {ours}\nAPI server: {theirs}"
    return taken, None


@BY_KIND
def test_model_and_api_server_agree_on_every_edge(dry_server: Server, kind: Kind) -> None:
    seen: Counter[bool] = Counter()
    differences = []
    for path, values in kind.edges.items():
        for value in values:
            taken, difference = compare(dry_server, kind, with_values(kind.spec, {path: value}))
            seen[taken] += 1
            if difference:
                differences.append(f"{path}: {value!r}\n{difference}")
    assert not differences, "\n\n".join(differences)
    assert min(seen[True], seen[False]) >= 20, f"one-sided: {seen}"


def several(kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    """Values for two to four fields at once: at an edge, or noise."""
    noise = st.text(alphabet="0129.%-msdhxE_{}\n ", max_size=9)
    fields = st.lists(st.sampled_from(sorted(kind.edges)), min_size=2, max_size=4, unique=True)
    return fields.flatmap(
        lambda paths: st.fixed_dictionaries({path: st.sampled_from(kind.edges[path]) | noise for path in paths})
    )


def reachable(values: dict[str, Any]) -> bool:
    """No field lies below another one's value."""
    return not any(other.startswith(f"{path}.") for path in values for other in values)


@BY_KIND
def test_model_and_api_server_agree_on_several_edges_at_once(dry_server: Server, kind: Kind) -> None:
    @settings(max_examples=100, derandomize=True, deadline=None, database=None)
    @given(several(kind).filter(reachable))
    def agree(values: dict[str, Any]) -> None:
        _, difference = compare(dry_server, kind, with_values(kind.spec, values))
        note(str(values))
        assert difference is None, difference

    agree()


@BY_KIND
def test_the_api_server_writes_down_the_models_defaults(dry_server: Server, kind: Kind) -> None:
    smallest = SPECS[kind.name]
    assert dry_server.create(manifest(kind.name, smallest))["spec"] == kind.model.model_validate(smallest).manifest()


PARTS = {
    "a router in part": (KINDS[0], {"router": {"replicas": 3}, "policy": {}}),
    "a step in part": (KINDS[1], {"strategy": {"steps": [{"slice": "5%"}]}}),
    "an analysis in part": (KINDS[1], {"strategy": {"analysis": {"alpha": "0.05"}}}),
    "labels in part": (KINDS[2], {"labels": {"arm": "model_arm"}}),
    "reviews in part": (KINDS[0], {"policy": {"reviews": {"approvals": 2}}}),
    "a mock in part": (KINDS[2], {"mock": {"values": [{"arm": "control", "value": "2%"}]}}),
    "a decision in part": (KINDS[3], {"decision": {"action": "Ship", "by": "ana", "rationale": "Better."}}),
}


@pytest.mark.parametrize(("kind", "part"), PARTS.values(), ids=PARTS.keys())
def test_a_part_that_is_written_keeps_the_defaults_of_the_rest(
    dry_server: Server, kind: Kind, part: dict[str, Any]
) -> None:
    spec = SPECS[kind.name] | part
    assert dry_server.create(manifest(kind.name, spec))["spec"] == kind.model.model_validate(spec).manifest()
