"""A swap changes the model and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import yaml

from crossfade_operator.api.modelrollout import ModelRolloutSpec
from dev.cluster.paths import REPOSITORY
from dev.demo.experiment import gated
from dev.demo.kube import Kube
from dev.demo.show import Show


class _Applied:
    def __init__(self) -> None:
        self.text = ""

    def apply(self, path: Path | str, text: str) -> None:
        assert path == "-"
        self.text = text


def test_a_swapped_model_keeps_the_gate() -> None:
    kube = _Applied()
    gated.swap(cast(Kube, kube), Show(io.StringIO()), "v2", "v3")
    swapped = ModelRolloutSpec.model_validate(yaml.safe_load(kube.text)["spec"])
    true = ModelRolloutSpec.model_validate(yaml.safe_load((REPOSITORY / gated.manifest()).read_text())["spec"])
    assert swapped.gates == true.gates != ()
    assert swapped.strategy == true.strategy
    assert swapped.template != true.template
