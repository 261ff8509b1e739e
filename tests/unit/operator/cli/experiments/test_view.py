from __future__ import annotations

from typing import Any

import pytest

from crossfade_operator.cli.experiments.view import bound_of, experiment_of


def test_an_experiment_that_no_controller_has_seen_reads_as_a_draft(experiment_object: dict[str, Any]) -> None:
    del experiment_object["status"]
    experiment = experiment_of(experiment_object)
    assert (experiment.phase, experiment.settled, experiment.slice) == ("Draft", False, "20%")
    assert [(arm.name, arm.wanted) for arm in experiment.arms] == [
        ("control", "Stable"),
        ("treatment", "ranker:two-tower"),
    ]


def test_a_status_of_an_earlier_run_says_nothing_of_this_one(experiment_object: dict[str, Any]) -> None:
    experiment_object["spec"]["run"] = 2
    experiment = experiment_of(experiment_object)
    assert (experiment.phase, experiment.recommendation, experiment.results) == ("Draft", None, ())


def test_fields_of_a_newer_version_are_passed_over(experiment_object: dict[str, Any]) -> None:
    before = experiment_of(experiment_object)
    experiment_object["status"]["results"][0]["novelty"] = {"x": 1}
    experiment_object["status"]["comet"] = "halley"
    assert experiment_of(experiment_object) == before


@pytest.mark.parametrize("phase", ["Decided", "Archived", "Invalid"])
def test_an_end_counts_only_for_the_present_specification(experiment_object: dict[str, Any], phase: str) -> None:
    experiment_object["status"]["phase"] = phase
    assert experiment_of(experiment_object).ended
    experiment_object["metadata"]["generation"] += 1
    assert not experiment_of(experiment_object).ended


@pytest.mark.parametrize(
    ("use", "text"),
    [
        pytest.param({"mde": {"relative": "1%"}}, "1%", id="a-relative-mde"),
        pytest.param({"margin": {"absolute": "0.5%"}}, "0.5% abs.", id="an-absolute-margin"),
        pytest.param({}, "", id="none"),
    ],
)
def test_what_a_metric_is_held_against(use: dict[str, Any], text: str) -> None:
    assert bound_of(use) == text
