"""The model's files: where they are, and the digest that says which model this is.

The digest of a single file is its sha256, the number that ``sha256sum model.onnx`` prints. A model of several files
(ONNX with external data) has the sha256 of the list of its files, one line each, sorted by path::

    <sha256 of the file>  <path relative to the directory>\\n
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from crossfade_serving.errors import ArtefactError

DIGEST_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Artefact:
    """A model on disk: the ONNX file to load, all its files, and their common digest (``sha256:…``)."""

    model_file: Path
    files: tuple[Path, ...]
    digest: str

    def check(self, expected: str | None) -> None:
        """Refuse a model that is not the expected one.

        Raises:
            ArtefactError: the digests differ.
        """
        if expected is not None and expected != self.digest:
            raise ArtefactError(
                f"the model at {self.model_file} has the digest {self.digest}, but {expected} was expected: "
                "mount the model that was approved, or correct --model-digest"
            )


def locate(path: Path) -> Artefact:
    """Find the model at ``path``, an ``.onnx`` file or a directory with exactly one, and compute its digest.

    In a directory every file counts, except hidden ones (volumes keep their own files there).

    Raises:
        ArtefactError: nothing is there, it cannot be read, or it is not clear which file is the model.
    """
    try:
        if path.is_file():
            return Artefact(path, (path,), f"sha256:{_file_digest(path)}")
        if not path.is_dir():
            raise ArtefactError(f"there is no model at {path}: give --model-path a .onnx file or its directory")
        files = _visible_files(path)
        return Artefact(_only_model(path, files), files, _digest(path, files))
    except OSError as error:
        raise ArtefactError(f"the model at {path} cannot be read: {error}") from error


def _visible_files(directory: Path) -> tuple[Path, ...]:
    return tuple(
        sorted(
            file
            for file in directory.rglob("*")
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(directory).parts)
        )
    )


def _only_model(directory: Path, files: tuple[Path, ...]) -> Path:
    models = [file for file in files if file.suffix == ".onnx"]
    if len(models) == 1:
        return models[0]
    found = ", ".join(str(model.relative_to(directory)) for model in models) or "none"
    raise ArtefactError(
        f"{directory} must hold exactly one .onnx file, found: {found}; give --model-path the file that is meant"
    )


def _digest(directory: Path, files: tuple[Path, ...]) -> str:
    if len(files) == 1:
        return f"sha256:{_file_digest(files[0])}"
    listing = "".join(f"{_file_digest(file)}  {file.relative_to(directory).as_posix()}\n" for file in files)
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


def _file_digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
