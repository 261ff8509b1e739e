"""An exported decision: one JSON file with the record, what people said, the design and the evidence behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crossfade_analyzer.contract import EVIDENCE_FORMAT, EvidenceFile, Verification
from crossfade_operator.api.meta import API_VERSION
from crossfade_operator.cli.problem import Problem

FORMAT = "crossfade-decision@1"
PROGRAM = "crossfade-analyzer"

Obj = Mapping[str, Any]

_NOISE = ("managedFields", "resourceVersion", "generation")


@dataclass(frozen=True)
class Carried:
    """What a file holds. `decision` is None in a file of bare evidence, `evidence` where a decision rests on none."""

    decision: Obj | None
    evidence: EvidenceFile | None


def exported(
    decision: Obj, reviews: Sequence[Obj], design: Obj | None, evidence: EvidenceFile | None
) -> dict[str, Any]:
    """The file's content."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "decision": _bare(decision),
        "reviews": [_bare(one) for one in reviews],
    }
    if design is not None:
        content["design"] = design
    if evidence is not None:
        content["evidence"] = evidence.model_dump(mode="json", by_alias=True, exclude_none=True)
    return content


def _bare(obj: Obj) -> Obj:
    """Without what only the API server needs."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _NOISE}
    return {"apiVersion": API_VERSION, **obj, "metadata": metadata}


def read(path: Path) -> Carried:
    """A file that `export`, or the analyzer, wrote. Raises `Problem`."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Problem(f"{path} is no JSON: {error}", _WRITE) from error
    form = content.get("format") if isinstance(content, dict) else None
    if form not in (FORMAT, EVIDENCE_FORMAT):
        raise Problem(f"{path} holds {form or 'something else'}, not {FORMAT} or {EVIDENCE_FORMAT}.", _WRITE)
    try:
        if form == EVIDENCE_FORMAT:
            return Carried(None, EvidenceFile.model_validate(content))
        found, decision = content.get("evidence"), content["decision"]
        _ = decision["metadata"]["name"], decision["spec"]["subject"]
        return Carried(decision, EvidenceFile.model_validate(found) if found is not None else None)
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{error} is missing"
        raise Problem(f"{path} is damaged: {what}.", _WRITE) from error


_WRITE = "write one with: kubectl crossfade export decision/NAME -o FILE"


def recomputed(evidence: EvidenceFile) -> Verification:
    """By the analyzer's program on this machine, from the file alone. Raises `Problem`."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise Problem(
            f"recomputing takes the program {PROGRAM}, which is not on PATH.",
            "install it from a clone of the release that wrote the file: uv tool install './analyzer[service]'",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "evidence.json"
        path.write_text(evidence.model_dump_json(by_alias=True))
        ended = subprocess.run([program, "verify", str(path)], capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode not in (0, 1):
        said = (ended.stderr or ended.stdout).strip().replace(str(path), "the evidence")
        raise Problem(f"{PROGRAM} could not check it: {said or f'exit code {ended.returncode}'}")
    return _verification(evidence, ended.stdout if ended.returncode else "")


def _verification(evidence: EvidenceFile, said: str) -> Verification:
    """What was stored with the last entry is what comes out, unless a difference says otherwise."""
    result = evidence.entries[-1].result or {}
    differences = tuple(line.strip() for line in said.splitlines()[1:]) or ((said.strip(),) if said else ())
    return Verification(
        digest=evidence.digest,
        subject=evidence.subject,
        verified=not differences,
        looks=int(result.get("look") or 0),
        windows=int(result.get("windows") or 0),
        verdict=str(result.get("recommendation") or result.get("verdict") or ""),
        rule=str(result.get("rule") or ""),
        differences=differences,
    )
