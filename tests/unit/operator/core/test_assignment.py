"""The committed vectors are what every implementation must agree on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossfade_operator.core.assignment import BUCKETS, POSITIONS, assign

VECTORS = json.loads(Path("tests/vectors/assignment.json").read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['salt'][:12]}-{vector['unit'][:12]}")
def test_a_unit_is_where_the_vectors_say(vector: dict[str, Any]) -> None:
    assert assign(vector["salt"], vector["unit"]) == (vector["bucket"], vector["position"])


def test_text_is_hashed_as_utf_8() -> None:
    assert assign("salt", "ünï") == assign("salt", "ünï".encode())


def test_the_constants_are_part_of_the_contract() -> None:
    assert (BUCKETS, POSITIONS) == (100, 1000)


def test_the_published_value_of_xxh64_is_met() -> None:
    """XXH64 of nothing with seed 0 is 0xef46db3751d8e999, in the specification of xxHash."""
    draw = 0xEF46DB3751D8E999 % 100_000
    assert assign("", "") == (draw // 1000, draw % 1000)
