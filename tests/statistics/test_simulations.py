"""Seeded simulations with persistent user effects: what is promised holds, within three standard errors. Larger:
`python -m benchmarks.statistics.guarantees`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from benchmarks.statistics import guarantees
from benchmarks.statistics.guarantees import Found

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.mark.parametrize(
    ("simulated", "runs"),
    [
        (guarantees.false_rollbacks, 40),
        (guarantees.false_alarms_of_the_split, 60),
        (guarantees.false_promotions, 30),
        (guarantees.missed_by_sequences, 20),
        (guarantees.false_success, 150),
        (guarantees.false_harm, 100),
        (guarantees.power, 100),
    ],
    ids=["rollbacks", "split", "promotions", "sequences", "designs", "harm", "power"],
)
def test_what_is_promised_holds(simulated: Callable[[int], Iterator[Found]], runs: int) -> None:
    broken = [found for found in simulated(runs) if not found.kept(3.0)]
    assert broken == []


def test_a_broken_promise_would_be_seen() -> None:
    assert not Found("nominal 5 %, really 20 %", 8, 40, 0.05).kept(3.0)
    assert not Found("power 80 %, really 60 %", 60, 100, 0.8, at_least=True).kept(3.0)
    assert Found("as promised", 3, 40, 0.05).kept(3.0)
