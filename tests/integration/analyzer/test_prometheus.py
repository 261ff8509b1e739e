"""What a real Prometheus answers, to the millisecond."""

from __future__ import annotations

import time

import pytest

from crossfade_analyzer.sources.prometheus import Prometheus
from tests.integration.analyzer.prometheus_server import PrometheusServer


@pytest.mark.parametrize("step", [1, 1000, 1001, 1003, 2017, 9999, 16406, 25_200_000])
def test_steps_are_at_the_instants_that_were_asked_for(prometheus: PrometheusServer, step: int) -> None:
    source = Prometheus(prometheus.url)
    end = time.time_ns() // 1_000_000
    at = [end - step * number for number in reversed(range(25))]
    (one,) = source.steps("vector(1)", at[0], at[-1], step)
    source.close()
    assert [instant for instant, _ in one.samples] == at
