"""Loading a model for a server; its life is in the contract suite, with a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade_serving import server
from crossfade_serving.artefact import Artefact, locate
from crossfade_serving.errors import ArtefactError
from crossfade_serving.settings import Settings
from tests.unit.serving.onnx_models import greeting, lookup


def test_the_version_is_the_setting_else_the_models_else_part_of_the_digest(tmp_path: Path) -> None:
    versioned, plain = lookup(tmp_path / "a.onnx", version="7"), greeting(tmp_path / "b.onnx")
    assert server.load(Settings(model_path=versioned, model_version="9")).identity.version == "9"
    assert server.load(Settings(model_path=versioned)).identity.version == "7"
    identity = server.load(Settings(model_path=plain)).identity
    assert identity.digest == locate(plain).digest
    assert identity.version == identity.digest.removeprefix("sha256:")[:12]


def test_a_model_that_is_not_the_expected_one_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"would not load")
    with pytest.raises(ArtefactError, match="was expected"):
        server.load(Settings(model_path=tmp_path, model_digest="sha256:" + "0" * 64))


def test_a_model_that_changes_while_it_is_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lookup(tmp_path / "m.onnx", rows=4)

    def locate_then_replace(at: Path) -> Artefact:
        found = locate(at)
        lookup(path, rows=5)
        return found

    monkeypatch.setattr(server, "locate", locate_then_replace)
    with pytest.raises(ArtefactError, match="changed while it was loaded"):
        server.load(Settings(model_path=path))
