"""Reported sessions are counted by assignment, and only well-formed ones."""

from __future__ import annotations

import pytest

from crossfade_serving.kserve_sdk import InvalidInput
from crossfade_serving.labels import Assignments
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.outcomes import Outcomes

HEADERS = {"x-arm": "new-ranker.treatment", "x-abucket": "5"}


class Bench:
    """Outcomes and what they counted."""

    def __init__(self) -> None:
        self.metrics = ServingMetrics()
        self.outcomes = Outcomes(Assignments(["stable"]), self.metrics)

    def counts(self, arm: str = "new-ranker.treatment", abucket: str = "5") -> dict[str, float | None]:
        labels = {"arm": arm, "abucket": abucket}
        return {
            name: self.metrics.registry.get_sample_value(f"crossfade_serving_{name}_total", labels)
            for name in ("sessions", "plays", "rejected_outcomes", "requests")
        }


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_sessions_and_their_plays_add_up(bench: Bench) -> None:
    for plays in (3, 0, 1000):
        bench.outcomes.report(HEADERS, b'{"plays": %d}' % plays)
    assert bench.counts() == {"sessions": 3, "plays": 1003, "rejected_outcomes": 0, "requests": None}


def test_a_report_without_an_assignment_is_nobodys(bench: Bench) -> None:
    bench.outcomes.report({}, b'{"plays": 2}')
    assert bench.counts("none", "none")["plays"] == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "EOF while parsing", id="no-body"),
        pytest.param(b"[3]", "not a session: .*object", id="a-list"),
        pytest.param(b"{}", "plays: Field required", id="nothing-in-it"),
        pytest.param(b'{"plays": -1}', "plays: .*greater than or equal to 0", id="less-than-nothing"),
        pytest.param(b'{"plays": 1001}', "plays: .*less than or equal to 1000", id="too-many"),
        pytest.param(b'{"plays": 2.5}', "plays: .*valid integer", id="half-a-play"),
        pytest.param(b'{"plays": true}', "plays: .*valid integer", id="a-truth"),
        pytest.param(b'{"plays": "3"}', "plays: .*valid integer", id="a-string"),
        pytest.param(b'{"plays": 1, "arm": "x"}', "arm: Extra inputs", id="a-field-that-is-not-known"),
        pytest.param(None, "at most 1024 bytes", id="too-long"),
    ],
)
def test_what_is_not_a_session_is_refused_and_counts_for_nobody(bench: Bench, body: bytes | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        bench.outcomes.report(HEADERS, body)
    assert bench.counts() == {"sessions": 0, "plays": 0, "rejected_outcomes": 1, "requests": None}
