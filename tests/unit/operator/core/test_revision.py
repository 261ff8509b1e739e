"""A revision is the hash of a template: whatever matters changes it, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade_operator.core.revision import child_name, revision_of

TEMPLATE = {"metadata": {"labels": {"app": "ranker"}}, "spec": {"containers": [{"name": "model", "image": "v1"}]}}


def test_a_revision_is_the_same_for_ever() -> None:
    """Another hash would start a rollout of every model at the next upgrade of the controller."""
    assert revision_of(TEMPLATE) == "zbdpvjx5fm"


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=5))
def test_a_revision_is_a_name_without_words(template: dict[str, Any]) -> None:
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{10}", revision_of(template))


def test_the_order_of_keys_does_not_matter() -> None:
    assert revision_of({"spec": TEMPLATE["spec"], "metadata": TEMPLATE["metadata"]}) == revision_of(TEMPLATE)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({**TEMPLATE, "metadata": {"labels": {"app": "other"}}}, id="a label"),
        pytest.param({**TEMPLATE, "spec": {"containers": [{"name": "model", "image": "v2"}]}}, id="an image"),
        pytest.param({**TEMPLATE, "spec": {**TEMPLATE["spec"], "nodeName": None}}, id="a field that is null"),
        pytest.param({**TEMPLATE, "spec": {"containers": [{"image": "v1"}, {"name": "model"}]}}, id="a split"),
    ],
)
def test_anything_else_does(changed: dict[str, Any]) -> None:
    assert revision_of(changed) != revision_of(TEMPLATE)


def test_letters_beyond_ascii_count() -> None:
    assert revision_of({"a": "ä"}) != revision_of({"a": "a"})


def test_children_bear_both_names() -> None:
    assert child_name("ranker", "kx7wq2m9bc") == "ranker-kx7wq2m9bc"
