from typing import Any

import pytest
from pydantic import ValidationError

from crossfade_operator.api.experiment import ExperimentSpec
from crossfade_operator.api.experiment_design import Method
from crossfade_operator.api.experiment_status import ExperimentStatus

TEMPLATE = {"spec": {"containers": [{"name": "model", "ports": [{"name": "http", "containerPort": 8080}]}]}}
CONTROL = {"name": "control", "role": "Control", "revision": "Stable"}
TREATMENT = {"name": "treatment", "role": "Treatment", "template": TEMPLATE}
PLAYS = {"metric": "plays", "role": "Success", "mde": {"relative": "1%"}}
ERRORS = {"metric": "error-rate", "role": "Guardrail", "margin": {"absolute": "0.5%"}}
SHIP = {"action": "Ship", "by": "ana", "rationale": "Better."}
DESIGN: dict[str, Any] = {
    "hypothesis": "Two-tower ranking raises plays by 1 %.",
    "slice": "20%",
    "arms": [CONTROL, TREATMENT],
    "metrics": [PLAYS, ERRORS],
}


def spec(design: dict[str, Any] | None = None, **changes: Any) -> ExperimentSpec:
    written = {
        "endpoint": "ranker",
        "owner": "team-ranking",
        "decisionMaker": "ana@example.com",
        "design": DESIGN | (design or {}),
    }
    return ExperimentSpec.model_validate(written | changes)


def test_the_defaults_are_careful() -> None:
    shown = spec().manifest()
    assert (shown["desiredState"], shown["type"], shown["run"], shown["dryRun"]) == ("Draft", "AB", 1, False)
    assert shown["design"]["analysis"] == {
        "method": "GroupSequential",
        "looks": 5,
        "spending": "OBrienFleming",
        "alpha": "0.05",
        "alphaMinus": "0.01",
        "power": "0.8",
        "interval": "10m",
        "prePeriod": "7d",
        "maxFallbackRate": "5%",
    }
    assert (shown["design"]["minRuntime"], shown["design"]["maxRuntime"]) == ("7d", "28d")
    assert [(arm["weight"], arm["replicas"]) for arm in shown["design"]["arms"]] == [(1, 1), (1, 1)]


def test_a_metric_may_be_pinned_to_a_revision() -> None:
    assert spec({"metrics": [PLAYS | {"metric": "plays@0123456789"}]}).design.metrics[0].metric == "plays@0123456789"


def test_an_aa_experiment_has_stable_arms() -> None:
    second = {"name": "twin", "role": "Treatment", "revision": "Stable"}
    assert spec({"arms": [CONTROL, second]}, type="AA").design.arms[1].template is None


def test_a_method_is_one_of_three() -> None:
    assert {method.value for method in Method} == {"FixedHorizon", "GroupSequential", "AlwaysValid"}


@pytest.mark.parametrize(
    ("design", "changes", "says"),
    [
        pytest.param({"arms": [TREATMENT, TREATMENT | {"name": "b"}]}, {}, "exactly one arm the role", id="no control"),
        pytest.param({"arms": [CONTROL, CONTROL | {"name": "b"}]}, {}, "exactly one arm the role", id="two controls"),
        pytest.param({"arms": [CONTROL]}, {}, "at least 2", id="one arm"),
        pytest.param({"arms": [CONTROL, TREATMENT | {"name": "control"}]}, {}, "each arm and each metric", id="twin"),
        pytest.param({"arms": [CONTROL, TREATMENT | {"revision": "Stable"}]}, {}, "template and revision", id="both"),
        pytest.param({"arms": [CONTROL, {"name": "b", "role": "Treatment"}]}, {}, "template and", id="neither"),
        pytest.param({"arms": [CONTROL, TREATMENT | {"weight": 0}]}, {}, "greater than or equal to 1", id="no weight"),
        pytest.param({"arms": [CONTROL, TREATMENT | {"name": "B"}]}, {}, "lower-case letters", id="a bad name"),
        pytest.param({"metrics": [PLAYS | {"mde": None}]}, {}, "needs an mde", id="no mde"),
        pytest.param({"metrics": [ERRORS | {"margin": None}]}, {}, "needs a margin", id="no margin"),
        pytest.param({"metrics": [PLAYS | {"margin": {"relative": "1%"}}]}, {}, "margin belongs to", id="idle margin"),
        pytest.param({"metrics": [ERRORS | {"mde": {"relative": "1%"}}]}, {}, "mde belongs to", id="idle mde"),
        pytest.param({"metrics": [PLAYS, PLAYS | {"metric": "plays@0123456789"}]}, {}, "one revision", id="two pins"),
        pytest.param({"metrics": [{"metric": "m", "role": "Deterioration"}]}, {}, "lead to a Ship", id="idle"),
        pytest.param({"minRuntime": "8d", "maxRuntime": "7d"}, {}, "must not be shorter", id="runtimes"),
        pytest.param({"analysis": {"interval": "8m"}}, {}, "at most 5000 windows", id="too many windows"),
        pytest.param(
            {},
            {"exclusions": [{"from": "2027-01-02T00:00:00Z", "to": "2027-01-01T00:00:00Z", "reason": "INC-1"}]},
            "must end after it begins",
            id="an exclusion that ends before it begins",
        ),
        pytest.param({"hypothesis": " \n"}, {}, "a sentence or more", id="no hypothesis"),
        pytest.param({"analysis": {"power": "0.99", "alphaMinus": "0.01"}}, {}, "below 1 - power", id="no power left"),
        pytest.param({"slice": "96%"}, {}, "at most 95%", id="a slice for all"),
        pytest.param({}, {"type": "AA"}, "give every arm revision: Stable", id="an AA of two models"),
        pytest.param({}, {"owner": " "}, "not blank", id="no owner"),
        pytest.param({}, {"run": 0}, "greater than or equal to 1", id="run 0"),
        pytest.param({}, {"exclusions": [{"from": "2027-01-01T00:00:00Z", "arm": "a"}]}, "Extra inputs", id="an arm"),
        pytest.param({}, {"decision": {"action": "Ship", "by": "ana"}}, "rationale", id="no rationale"),
        pytest.param({}, {"decision": {"action": "Extend", "by": "a", "rationale": "b"}}, "'Ship' or 'Abort'", id="x"),
        pytest.param({}, {"decision": SHIP | {"treatment": "control"}}, "with the role Treatment", id="control ships"),
        pytest.param(
            {"arms": [CONTROL, TREATMENT, TREATMENT | {"name": "b"}]}, {"decision": SHIP}, "which arm", id="which ships"
        ),
        pytest.param(
            {},
            {"exclusions": [{"from": "2027-01-01T01:00:00Z", "to": "2027-01-01T02:00:00+01:00", "reason": "INC-1"}]},
            "must end after it begins",
            id="no time excluded",
        ),
    ],
)
def test_refused(design: dict[str, Any], changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(design, **changes)


def test_an_experiment_that_nobody_has_looked_at_has_a_status_too() -> None:
    assert ExperimentStatus.model_validate({}).manifest()["run"] == 0
