"""The numbers shown beside a verdict."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crossfade_analyzer.statistics.rollout import MetricPlan, MetricResult, RolloutPlan, judge
from tests.statistics.worlds import looks


@pytest.mark.parametrize(("direction", "rate"), [("LowerIsBetter", 0.02), ("HigherIsBetter", 0.98)])
def test_an_slo_shows_the_rate_and_its_sequence_and_compares_nothing(direction: Any, rate: float) -> None:
    plan = RolloutPlan((MetricPlan("error-rate", "count", "Deterioration", direction, slo=Decimal("0.5")),))
    found = judge(plan, looks(7, (0.3, rate), requests=6000)).metrics["error-rate"]
    assert isinstance(found, MetricResult), found
    part = found.leading
    assert part.rate == pytest.approx(rate, rel=0.1)
    assert part.rate_interval is not None
    assert 0 < part.rate_interval.lower < rate < part.rate_interval.upper < 1
    assert part.rate_interval.upper - part.rate_interval.lower < 0.02
    assert (part.ratio, part.ratio_interval, part.difference, part.difference_interval) == (None,) * 4
