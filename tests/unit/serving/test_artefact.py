"""Which files a model is, and its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crossfade_serving.artefact import locate
from crossfade_serving.errors import ArtefactError


def test_the_digest_of_a_file_is_what_sha256sum_prints(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"abc")
    # FIPS 180-4's example for "abc"
    assert locate(model).digest == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_directory_with_one_file_has_the_digest_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ranker.onnx").write_bytes(b"abc")
    assert locate(tmp_path).digest == locate(tmp_path / "ranker.onnx").digest
    assert locate(tmp_path).model_file == tmp_path / "ranker.onnx"


def test_every_visible_file_of_a_directory_counts(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights").write_bytes(b"weights")
    listing = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in [("data/weights", b"weights"), ("model.onnx", b"graph")]
    )
    assert locate(tmp_path).digest == f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"
    before = locate(tmp_path).digest
    (tmp_path / "data" / "weights").write_bytes(b"Weights")
    assert locate(tmp_path).digest != before


def test_the_hidden_files_of_a_volume_do_not_count(tmp_path: Path) -> None:
    """A ConfigMap or Secret volume keeps its files in ``..data`` and links to them."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "model.onnx").write_bytes(b"abc")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "model.onnx").symlink_to("..data/model.onnx")
    artefact = locate(tmp_path)
    assert artefact.files == (tmp_path / "model.onnx",)
    assert artefact.digest.startswith("sha256:ba7816bf")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param([], "exactly one .onnx file, found: none", id="an empty directory has no model"),
        pytest.param(["a.onnx", "b/c.onnx"], r"found: a.onnx, b/c.onnx", id="two models are ambiguous"),
    ],
)
def test_a_directory_without_exactly_one_model_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ArtefactError, match=message):
        locate(tmp_path)


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"there is no model at .*nowhere"):
        locate(tmp_path / "nowhere")


def test_the_expected_digest_is_checked(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"abc")
    artefact = locate(tmp_path)
    artefact.check(None)
    artefact.check(artefact.digest)
    with pytest.raises(ArtefactError, match=f"has the digest {artefact.digest}, but sha256:0+ was expected"):
        artefact.check("sha256:" + "0" * 64)
