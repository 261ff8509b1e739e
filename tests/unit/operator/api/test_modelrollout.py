from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_operator.api.modelrollout import Bound, ModelRolloutSpec, Step
from crossfade_operator.api.quantities import PositiveAmount, PositiveShare

TEMPLATE: dict[str, Any] = {
    "spec": {"containers": [{"name": "model", "image": "m:1", "ports": [{"name": "http", "containerPort": 8080}]}]}
}
LATENCY = {"metric": "latency", "role": "Deterioration"}


def spec(**changes: Any) -> ModelRolloutSpec:
    return ModelRolloutSpec.model_validate({"endpoint": "ranker", "template": TEMPLATE} | changes)


def steps(*written: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"steps": list(written)}}


def metrics(*written: dict[str, Any]) -> dict[str, Any]:
    return {"strategy": {"analysis": {"metrics": list(written)}}}


def test_the_defaults_are_careful() -> None:
    step = {"minRequests": 1000, "approvals": 0, "mirror": False}
    assert spec().manifest() == {
        "endpoint": "ranker",
        "replicas": 1,
        "template": TEMPLATE,
        "strategy": {
            "steps": [
                {"slice": "1%", "hold": "10m"} | step,
                {"slice": "10%", "hold": "30m"} | step,
                {"slice": "50%", "hold": "1h"} | step,
            ],
            "analysis": {
                "interval": "30s",
                "metrics": [{"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "1%"}}, LATENCY],
                "alpha": "0.01",
                "beta": "0.05",
                "onInconclusive": "Hold",
                "inconclusiveAfter": "24h",
                "proveBefore": "NextStep",
                "warmup": "0s",
            },
        },
        "gates": [],
        "progressDeadline": "10m",
        "scaleDownDelay": "5m",
        "rollbackWindow": "72h",
        "paused": False,
    }


def test_the_template_comes_out_as_it_was_written_nulls_included() -> None:
    container = {**TEMPLATE["spec"]["containers"][0], "resources": None, "env": [{"name": "A", "value": ""}]}
    written = {"metadata": {}, "spec": {"containers": [container], "hostNetwork": False}}
    assert spec(template=written).manifest()["template"] == written


def test_a_step_needs_only_its_slice() -> None:
    assert Step.model_validate({"slice": "5%"}).manifest() == {
        "slice": "5%",
        "hold": "10m",
        "minRequests": 1000,
        "approvals": 0,
        "mirror": False,
    }


def test_mirrors_may_go_first_at_any_size() -> None:
    strategy = spec(
        **steps({"slice": "50%", "mirror": True}, {"slice": "5%", "mirror": True}, {"slice": "1%"}, {"slice": "10%"})
    ).strategy
    assert [step.slice.positions for step in strategy.steps] == [500, 50, 10, 100]


def test_a_bound_is_relative_or_absolute() -> None:
    relative, absolute = Bound(relative=PositiveShare("10%")), Bound(absolute=PositiveAmount("0.5%"))
    assert (relative.relative_value, relative.absolute_value) == (Decimal("0.1"), None)
    assert (absolute.relative_value, absolute.absolute_value) == (None, Decimal("0.005"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param(steps(), "at least 1 item", id="no step"),
        pytest.param(steps(*[{"slice": f"{n}%"} for n in range(1, 22)]), "at most 20 items", id="21 steps"),
        pytest.param(steps({"slice": "10%"}, {"slice": "5%"}), "increase strictly", id="falling slices"),
        pytest.param(steps({"slice": "10%"}, {"slice": "10.0%"}), "increase strictly", id="equal slices"),
        pytest.param(steps({"slice": "1%"}, {"slice": "5%", "mirror": True}), "before all others", id="late mirror"),
        pytest.param(steps({"slice": "5%", "mirror": True}), "must not be a mirror", id="only mirrors"),
        pytest.param(steps({"slice": "0.55%"}), "multiple of 0.1%", id="too fine a slice"),
        pytest.param(steps({"slice": "95.1%"}), "at most 95%", id="no control left"),
        pytest.param(steps({"slice": "0%"}), "above 0%", id="a slice of nobody"),
        pytest.param(steps({"slice": "ten"}), "percentage such as 10%", id="no percentage"),
        pytest.param(steps({"slice": "1%", "hold": "-3s"}), "must be a duration", id="negative hold"),
        pytest.param(steps({"slice": "1%", "minRequests": -1}), "greater than or equal to 0", id="negative requests"),
        pytest.param(steps({"slice": "1%", "approvals": 11}), "less than or equal to 10", id="11 approvals"),
        pytest.param(steps({"slice": "1%", "weight": 5}), "Extra inputs", id="unknown field of a step"),
        pytest.param(metrics(), "at least 1 item", id="no metric"),
        pytest.param(
            metrics(*[{"metric": f"m{n}", "role": "Deterioration"} for n in range(21)]), "at most 20", id="21 metrics"
        ),
        pytest.param(metrics(LATENCY, LATENCY), "name each metric once", id="a metric twice"),
        pytest.param(metrics(LATENCY | {"role": "Guardrail"}), "a Guardrail needs a margin", id="no margin"),
        pytest.param(metrics(LATENCY | {"margin": {"relative": "5%"}}), "has no margin", id="an idle margin"),
        pytest.param(metrics(LATENCY | {"role": "Success"}), "'Guardrail' or 'Deterioration'", id="unknown role"),
        pytest.param(metrics(LATENCY | {"tolerance": {}}), "exactly one of relative and absolute", id="empty bound"),
        pytest.param(
            metrics(LATENCY | {"tolerance": {"relative": "5%", "absolute": "1%"}}), "exactly one of", id="two bounds"
        ),
        pytest.param(metrics(LATENCY | {"tolerance": {"relative": "0%"}}), "above 0%", id="an empty tolerance"),
        pytest.param({"strategy": {"analysis": {"alpha": "0"}}}, "between 0 and 1", id="alpha of 0"),
        pytest.param({"strategy": {"analysis": {"alpha": 0.01}}}, "in quotes", id="alpha as a number"),
        pytest.param({"strategy": {"analysis": {"interval": "1s"}}}, "from 5s to 1h", id="hasty looks"),
        pytest.param({"strategy": {"analysis": {"onInconclusive": "Promote"}}}, "'Hold' or 'Rollback'", id="promote"),
        pytest.param({"progressDeadline": "0s"}, "above 0", id="no time to start"),
        pytest.param({"replicas": 1001}, "less than or equal to 1000", id="1001 replicas"),
        pytest.param({"replicas": True}, "valid integer", id="true replicas"),
        pytest.param({"paused": "yes"}, "valid boolean", id="paused as a word"),
        pytest.param({"endpoint": "Ranker"}, "lower-case letters", id="no name"),
        pytest.param({"endpoint": "r" * 41}, "at most 40", id="long name"),
        pytest.param({"gates": [{}]}, "exactly one of experiment and approvals", id="empty gate"),
        pytest.param(
            {"gates": [{"experiment": "a", "approvals": 1}]},
            "exactly one of experiment and approvals",
            id="two in a gate",
        ),
        pytest.param({"canary": []}, "Extra inputs", id="unknown field"),
    ],
)
def test_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(**changes)
