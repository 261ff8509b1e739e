"""Positions are drawn evenly, each once, for every arm its part; and the same question gets the same answer."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade_operator.core.draw import draw, free_of, quotas
from crossfade_operator.core.slices import expand

WEIGHTS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(1, 100), min_size=2)


@given(st.integers(2, 950), WEIGHTS)
def test_every_arm_gets_its_part_and_at_least_one_position(positions: int, weights: dict[str, int]) -> None:
    if positions < len(weights):
        with pytest.raises(ValueError, match="too few"):
            quotas(positions, weights)
        return
    given_ = quotas(positions, weights)
    assert sum(given_.values()) == positions
    assert min(given_.values()) >= 1
    exact = {arm: positions * weight / sum(weights.values()) for arm, weight in weights.items()}
    assert all(given_[arm] < exact[arm] + 1 for arm in weights if exact[arm] >= 1)


@pytest.mark.parametrize(
    ("positions", "weights", "expected"),
    [
        pytest.param(200, {"a": 1, "b": 1}, {"a": 100, "b": 100}, id="equal weights"),
        pytest.param(201, {"a": 1, "b": 1}, {"a": 101, "b": 100}, id="an odd one"),
        pytest.param(100, {"a": 1, "b": 3}, {"a": 25, "b": 75}, id="one to three"),
        pytest.param(7, {"a": 1, "b": 99, "c": 1}, {"a": 1, "b": 5, "c": 1}, id="nobody goes without"),
    ],
)
def test_quotas(positions: int, weights: dict[str, int], expected: dict[str, int]) -> None:
    assert quotas(positions, weights) == expected


@given(
    st.integers(0, 2**32),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 150), min_size=2),
    st.sets(st.integers(0, 999), max_size=400),
    st.integers(1, 20),
)
def test_a_draw_takes_what_is_free_and_each_position_once(
    seed: int, quota: dict[str, int], taken: set[int], blocks: int
) -> None:
    free = free_of(taken, 1000)
    drawn = draw(quota, free, blocks=blocks, seed=str(seed))
    positions = {arm: list(expand(ranges)) for arm, ranges in drawn.items()}
    assert {arm: len(found) for arm, found in positions.items()} == quota
    together = [position for found in positions.values() for position in found]
    assert len(together) == len(set(together))
    assert set(together) <= set(free)
    assert draw(quota, free, blocks=blocks, seed=str(seed)) == drawn


def test_every_position_is_as_likely_as_any_other() -> None:
    """A thousand draws of 100 of 1,000: with z = 5 this fails once in some thousand years of nightly runs."""
    seen: Counter[int] = Counter()
    for seed in range(1000):
        drawn = draw({"a": 50, "b": 50}, range(1000), blocks=8, seed=str(seed))
        seen.update(expand(drawn["a"]))
    expected, deviation = 50.0, (1000 * 0.05 * 0.95) ** 0.5
    assert max(abs(seen[position] - expected) for position in range(1000)) < 5 * deviation


def test_a_draw_has_as_many_ranges_as_blocks_and_not_one_block() -> None:
    drawn = draw({"a": 100, "b": 100}, range(1000), blocks=8, seed="s")
    assert all(5 <= len(ranges) <= 9 for ranges in drawn.values())


def test_another_seed_gives_other_positions() -> None:
    one, other = (draw({"a": 100, "b": 100}, range(1000), blocks=8, seed=seed) for seed in ("x/1", "x/2"))
    assert set(expand(one["a"])) != set(expand(other["a"]))


def test_no_arm_is_handed_on_as_a_block() -> None:
    """Of what was one arm's, both arms of the next experiment get about half."""
    free = range(1000)
    before = set(expand(draw({"a": 475, "b": 475}, free, blocks=12, seed="first")["a"]))
    shares = []
    for seed in range(200):
        after = set(expand(draw({"a": 475, "b": 475}, free, blocks=12, seed=str(seed))["a"]))
        shares.append(len(before & after) / len(before))
    assert 0.45 < sum(shares) / len(shares) < 0.51
    assert 0.1 < min(shares) <= max(shares) < 0.9


def test_arms_follow_one_another_in_another_order_in_each_block() -> None:
    drawn = draw({"a": 60, "b": 60}, range(1000), blocks=12, seed="s")
    firsts = {min(pair)[1] for pair in zip(*([(span[0], arm) for span in drawn[arm]] for arm in "ab"), strict=False)}
    assert firsts == {"a", "b"}


def test_what_does_not_fit_is_not_drawn() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        draw({"a": 6, "b": 5}, range(10), blocks=1, seed="s")
