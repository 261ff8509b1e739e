"""Evidence in files and stores: verified anywhere; what was changed, left out or re-ordered is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crossfade_analyzer.contract import Method, Verification
from crossfade_analyzer.snapshots import Kind
from crossfade_analyzer.store import files
from crossfade_analyzer.verification import UnknownDigest, verify, verify_file
from tests.fakes.experiments import ERRORS, PLAYS, SUBJECT, excluded, mock
from tests.scenario.analyzer.experiments.conftest import MINUTE, Dry


@pytest.fixture
def judged(dry: Dry) -> Dry:
    """A group sequential experiment with an exclusion, at its end."""
    dry.designed(metrics=(PLAYS, ERRORS), method=Method.GROUP_SEQUENTIAL, mock=mock(plays=(2.0, 2.2)))
    dry.go(6)
    dry.go(15, exclusions=(excluded(dry.since + 2 * MINUTE + 1, dry.since + 4 * MINUTE),))
    return dry


def exported(dry: Dry) -> dict[str, Any]:
    entry = list(dry.store.chain(SUBJECT))[-1]
    loaded: dict[str, Any] = json.loads(files.exported(dry.store, entry).model_dump_json(by_alias=True))
    return loaded


def checked(evidence: dict[str, Any], directory: Path) -> Verification:
    path = directory / "evidence.json"
    path.write_text(json.dumps(evidence))
    return verify_file(files.read(path))


def test_a_chain_verifies_up_to_any_entry(judged: Dry) -> None:
    entries = [e for e in judged.store.chain(SUBJECT) if e.kind in (Kind.WINDOW, Kind.LOOK, Kind.EXCLUSIONS)]
    for entry in entries[::3]:
        assert verify(judged.store, entry.digest).differences == ()
    last = verify(judged.store, entries[-1].digest)
    assert (last.verified, last.verdict, last.rule, last.windows) == (True, "Ship", "experiment@1", 10)


def test_an_exported_file_verifies_without_the_store(judged: Dry, tmp_path: Path) -> None:
    found = checked(exported(judged), tmp_path)
    assert (found.verified, found.verdict) == (True, "Ship")


def number_of(evidence: dict[str, Any], kind: str, nth: int = 0) -> int:
    return [i for i, entry in enumerate(evidence["entries"]) if entry["kind"] == kind][nth]


def count_one_more(evidence: dict[str, Any]) -> str:
    at = number_of(evidence, "window", 3)
    evidence["entries"][at]["body"]["requests"][1][7] += 1
    return f"entry {at} (window 4): stored digest"


def leave_out(evidence: dict[str, Any]) -> str:
    at = number_of(evidence, "window", 4)
    del evidence["entries"][at]
    return f"entry {at + 1} (window 6): the entries before it are missing, from entry {at} on"


def swap(evidence: dict[str, Any]) -> str:
    at = number_of(evidence, "window", 5)
    entries = evidence["entries"]
    entries[at], entries[at + 1] = entries[at + 1], entries[at]
    return "the entries were re-ordered or doubled"


def raise_a_score(evidence: dict[str, Any]) -> str:
    at = number_of(evidence, "look", -1)
    evidence["entries"][at]["body"]["included"][0]["z"] += 1
    return f"entry {at} (look 5): included[0].z: stored"


def tell_otherwise(evidence: dict[str, Any]) -> str:
    at = number_of(evidence, "look", -1)
    evidence["entries"][at]["result"]["recommendation"] = "Abort"
    return 'judged recommendation: stored "Abort", recomputed "Ship"'


def forget_the_first(evidence: dict[str, Any]) -> str:
    del evidence["entries"][0]
    return "the subject has no first entry"


def change_a_margin(evidence: dict[str, Any]) -> str:
    evidence["entries"][0]["body"]["design"]["metrics"][1]["margin"]["absolute"] = "0.9"
    return "entry 0 (opened): stored digest"


@pytest.mark.parametrize(
    "tamper",
    [count_one_more, leave_out, swap, raise_a_score, tell_otherwise, forget_the_first, change_a_margin],
    ids=lambda f: f.__name__,
)
def test_what_was_tampered_with_is_named(judged: Dry, tmp_path: Path, tamper: Callable[[dict[str, Any]], str]) -> None:
    evidence = exported(judged)
    expected = tamper(evidence)
    found = checked(evidence, tmp_path)
    assert not found.verified
    assert any(expected in text for text in found.differences), found.differences


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for content in ("", "{}", '{"format": "other@1"}'):
        path.write_text(content)
        with pytest.raises(files.UnreadableFile, match="crossfade-analyzer export DIGEST"):
            files.read(path)
    with pytest.raises(files.UnreadableFile, match="cannot be read"):
        files.read(tmp_path / "absent")


def test_a_file_without_its_own_digest_is_not_verified(judged: Dry, tmp_path: Path) -> None:
    evidence = exported(judged)
    evidence["digest"] = "sha256:" + "0" * 64
    with pytest.raises(UnknownDigest, match="no entry of it has this digest"):
        checked(evidence, tmp_path)
