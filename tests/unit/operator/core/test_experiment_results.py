"""What a status and a Decision keep of the analyzer's checks."""

from __future__ import annotations

import pytest

from crossfade_analyzer.contract import Check, CheckName
from crossfade_operator.core.experiment.results import checks_of


def _check(name: CheckName, message: str, *, passed: bool = True, blocking: bool = True) -> Check:
    return Check(name=name, passed=passed, blocking=blocking, message=message)


def test_there_is_one_finding_for_each_name_however_many_arms_and_metrics() -> None:
    metrics = [f"metric-{number}" for number in range(20)]
    found = checks_of(
        [
            *(_check(CheckName.SAMPLE_RATIO, f"arm-{number}") for number in range(9)),
            *(_check(CheckName.MISSING_DATA, name) for name in metrics),
        ]
    )
    assert [(check.name, check.passed) for check in found] == [("SampleRatio", True), ("MissingData", True)]
    assert found[1].message == "; ".join(metrics)


def test_what_failed_is_told_and_nothing_beside_it() -> None:
    plays = _check(CheckName.MISSING_DATA, "plays: 40.0% of the run time was counted", passed=False)
    (found,) = checks_of([_check(CheckName.MISSING_DATA, "errors: 100.0%"), plays])
    assert (found.passed, found.blocking, found.message) == (False, True, plays.message)


@pytest.mark.parametrize("passed", [True, False])
def test_what_only_warns_stays_a_warning(passed: bool) -> None:
    (found,) = checks_of([_check(CheckName.CORRELATION_GAP, "gap", passed=passed, blocking=False)])
    assert (found.passed, found.blocking) == (passed, False)
