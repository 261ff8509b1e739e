from __future__ import annotations

import pytest

from crossfade_operator.cli.names import DECISION, EXPERIMENT, ROLLOUT, Kind, kind_of, named
from crossfade_operator.cli.problem import Problem


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("ranker", ROLLOUT, "ranker"),
        ("rollout/ranker", ROLLOUT, "ranker"),
        ("mr/ranker", ROLLOUT, "ranker"),
        ("modelrollouts.crossfade.dev/ranker", ROLLOUT, "ranker"),
        ("exp/new-ranker", EXPERIMENT, "new-ranker"),
        ("Experiment/new-ranker", EXPERIMENT, "new-ranker"),
        ("dec/ranker-000001", DECISION, "ranker-000001"),
    ],
)
def test_names_are_understood_as_kubectl_understands_them(text: str, kind: Kind, name: str) -> None:
    found = named(text, (ROLLOUT, EXPERIMENT, DECISION), ROLLOUT)
    assert (found.kind, found.name) == (kind, name)


@pytest.mark.parametrize("text", ["metric/plays", "exp/", "", "pod/x"])
def test_other_things_are_refused_with_what_may_be_written(text: str) -> None:
    with pytest.raises(Problem) as caught:
        named(text, (ROLLOUT, EXPERIMENT), ROLLOUT)
    assert caught.value.hint == "write rollout/NAME or exp/NAME or NAME of a rollout"


def test_a_word_means_one_kind() -> None:
    assert kind_of("exp") is EXPERIMENT
    assert kind_of("deployment") is None
