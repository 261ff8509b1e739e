"""Rollouts on the real node, at the same time: each has its own endpoint, so none may disturb another."""

from __future__ import annotations

import os
from concurrent.futures import Future

import pytest

from tests.e2e.rollouts.steady import SCENARIOS
from tests.e2e.support.playbill import Scenario, outcome, title
from tests.e2e.support.stage import Stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),  # the first run on a machine builds Kubernetes and the images
    pytest.mark.skipif(os.geteuid() != 0, reason="a node without a container engine needs root"),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=title)
def test_scenario(scenario: Scenario, side_by_side: dict[Scenario, Future[None]], stage: Stage) -> None:
    outcome(scenario, side_by_side, stage)
