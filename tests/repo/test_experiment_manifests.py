"""The experiment's manifests tell one story: the same pods but for the model, and the model that is shipped is the one
that was tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade_operator.api.experiment import ExperimentSpec
from crossfade_operator.api.metric import MetricSpec
from crossfade_operator.api.modelendpoint import ModelEndpointSpec
from crossfade_operator.api.modelrollout import ModelRolloutSpec

FOLDER = Path(__file__).parents[2] / "examples" / "experiment"
ROLLOUTS, EXPERIMENTS = ("v1", "rollout"), ("ab", "aa", "abort")


def _manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))
    return found


def _treatment(name: str) -> Any:
    return _manifest(name)["spec"]["design"]["arms"][1].get("template")


def _of(version: str, template: Any) -> Any:
    """The template, having checked that it is of this version and would be any other's but for its path."""
    (container,) = template["spec"]["containers"]
    assert container["args"][:2] == ["--model-path", f"/models/{version}"]
    return yaml.safe_load(yaml.safe_dump(template).replace(f"/models/{version}", "/models/any"))


def test_the_models_accept_them() -> None:
    ModelEndpointSpec.model_validate(_manifest("endpoint")["spec"])
    for name in ROLLOUTS:
        ModelRolloutSpec.model_validate(_manifest(name)["spec"])
    for name in EXPERIMENTS:
        ExperimentSpec.model_validate(_manifest(name)["spec"])


def test_the_model_that_is_shipped_is_the_one_that_was_tried() -> None:
    rollout = _manifest("rollout")["spec"]
    assert rollout["template"] == _treatment("ab")
    assert rollout["gates"] == [{"experiment": _manifest("ab")["metadata"]["name"]}]


def test_pods_differ_in_the_model_only() -> None:
    v1 = _of("v1", _manifest("v1")["spec"]["template"])
    assert _of("v2", _treatment("ab")) == v1
    assert _of("v1", _treatment("abort")) == v1
    demo = yaml.safe_load((FOLDER.parent / "demo" / "v1.yaml").read_text())["spec"]["template"]
    assert v1["spec"] == _of("v1", demo)["spec"]


def test_the_twins_are_the_stable_model_twice() -> None:
    assert [arm.get("revision") for arm in _manifest("aa")["spec"]["design"]["arms"]] == ["Stable", "Stable"]


def test_a_step_below_the_gates_comes_first() -> None:
    endpoint = ModelEndpointSpec.model_validate(_manifest("endpoint")["spec"])
    steps = ModelRolloutSpec.model_validate(_manifest("rollout")["spec"]).strategy.steps
    assert steps[0].slice.positions <= endpoint.policy.unproven_slice.positions < steps[1].slice.positions


def test_the_experiments_fit_beside_each_other_and_an_unproven_candidate() -> None:
    policy = ModelEndpointSpec.model_validate(_manifest("endpoint")["spec"]).policy
    together = sum(ExperimentSpec.model_validate(_manifest(n)["spec"]).design.slice.positions for n in ("ab", "aa"))
    assert together <= policy.max_experiment_slice.positions
    assert together + policy.unproven_slice.positions + policy.stable_floor.positions <= 1000


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_metric_is_defined_beside_them(name: str) -> None:
    _, metric = yaml.safe_load_all((FOLDER / "endpoint.yaml").read_text())
    MetricSpec.model_validate(metric["spec"])
    used = {use["metric"] for use in _manifest(name)["spec"]["design"]["metrics"]}
    assert used <= {metric["metadata"]["name"], "error-rate", "latency"}


def test_the_metric_is_read_from_what_the_model_server_counts() -> None:
    _, metric = yaml.safe_load_all((FOLDER / "endpoint.yaml").read_text())
    source = metric["spec"]["prometheus"]
    assert source["numerator"].startswith("crossfade_serving_plays_total{")
    assert source["denominator"].startswith("crossfade_serving_sessions_total{")
