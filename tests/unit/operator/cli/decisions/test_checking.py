"""Decisions with real evidence: the analyzer judges made-up traffic, and its program recomputes what is exported."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfade_analyzer.contract import Evaluation, EvidenceFile
from crossfade_analyzer.store.evidence import Evidence
from crossfade_analyzer.store.files import exported
from crossfade_analyzer.verification import verify
from crossfade_operator.cli.client import Refused
from crossfade_operator.cli.main import run
from crossfade_operator.core.rollout.records import plan_hash
from tests.fakes.judged import SUBJECT, judge_a_failing_candidate, plan_of_it, results_of

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    made = Evidence(f"sqlite:///{tmp_path_factory.mktemp('store') / 'evidence.db'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture(scope="module")
def judged(store: Evidence) -> Evaluation:
    return judge_a_failing_candidate(store)


@pytest.fixture
def decision(record: Callable[[str], dict[str, Any]], judged: Evaluation) -> dict[str, Any]:
    """The rollback, as the serving controller records it."""
    made = record("rolled-back")
    made["spec"]["evidence"] = {"digest": judged.digest, "locator": SUBJECT}
    made["spec"]["results"] = results_of(judged)
    made["spec"]["designHash"] = plan_hash(plan_of_it())
    return made


@pytest.fixture(scope="module")
def evidence(store: Evidence, judged: Evaluation) -> EvidenceFile:
    entry = store.find(judged.digest or "")
    assert entry is not None
    return exported(store, entry)


@pytest.fixture
def command(
    cluster: Callable[..., Any],
    decision: dict[str, Any],
    store: Evidence,
    judged: Evaluation,
    evidence: EvidenceFile,
    rollout_object: dict[str, Any],
    reviewed: Callable[..., Any],
) -> Command:
    def call(*arguments: str) -> tuple[int, str]:
        dissent = reviewed("Decision/ranker-000007", "cy@example.com", "Dissent", reason="too soon")
        made, out = cluster(decision, rollout_object, dissent), io.StringIO()
        recomputed = verify(store, judged.digest or "")
        made.answers = {
            "/v1/verifications": recomputed.model_dump(mode="json", by_alias=True),
            f"/v1/evidence/{judged.digest}": evidence.model_dump(mode="json", by_alias=True),
        }
        code = run(arguments, connect=lambda options: made, out=out)
        return code, out.getvalue()

    return call


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`crossfade-analyzer` on PATH, which says this and ends so; tests/integration/cli has the real one."""

    def install(said: str, code: int) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "crossfade-analyzer"
        script.write_text(f'#!/bin/sh\n[ "$1" = verify ] && [ -f "$2" ] || exit 99\nprintf %s "{said}"\nexit {code}\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return install


def test_a_decision_is_verified_by_what_comes_out_of_its_evidence(command: Command) -> None:
    code, out = command("verify", "decision/ranker-000007")
    assert code == 0
    assert out.startswith("verified: decision ranker-000007\n")
    assert "4 looks recomputed by rollout@1" in " ".join(out.split())


def test_a_decision_that_says_otherwise_ends_with_1_and_says_what(command: Command, decision: dict[str, Any]) -> None:
    decision["spec"]["results"][0]["verdict"] = "Proven"
    decision["spec"]["recommendation"] = "Promote"
    code, out = command("verify", "rollout/ranker")
    assert code == 1
    assert out == (
        "NOT VERIFIED: decision ranker-000007, 2 differences\n"
        "  - recommendation: the decision says Promote, the evidence is Harmful\n"
        "  - error-rate, verdict: the decision says Proven, recomputed it is Harmful\n"
    )
    assert json.loads(command("verify", "ranker-000007", "-o", "json")[1])["verified"] is False


def test_what_rests_on_no_evidence_cannot_be_verified(
    command: Command, decision: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    del decision["spec"]["evidence"]
    assert command("verify", "ranker-000007") == (2, "")
    assert "rests on no measured evidence (EvidenceOfHarm)" in capsys.readouterr().err


def test_an_analyzer_that_lost_the_evidence_is_quoted(
    cluster: Callable[..., Any], decision: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    made = cluster(decision)
    made.answers = {"/v1/verifications": Refused(404, "Unknown digest: no entry has it")}
    assert run(["verify", "ranker-000007"], connect=lambda options: made) == 2
    assert "answered 404: Unknown digest: no entry has it" in capsys.readouterr().err


def test_an_export_verifies_on_another_machine_without_a_cluster(
    command: Command, tmp_path: Path, program: Callable[..., None]
) -> None:
    path = tmp_path / "decision.json"
    code, out = command("export", "decision/ranker-000007", "-o", str(path))
    assert code == 0
    assert f"kubectl crossfade verify {path}" in out

    def none(options: object) -> Any:
        raise AssertionError("no cluster is needed")

    program("verified: ...", 0)
    elsewhere = io.StringIO()
    assert run(["verify", str(path)], connect=none, out=elsewhere) == 0
    assert elsewhere.getvalue().startswith("verified: decision ranker-000007\n")


def test_an_export_holds_all_that_was_said_and_the_plan(command: Command, evidence: EvidenceFile) -> None:
    content = json.loads(command("export", "ranker-000007")[1])
    assert content["format"] == "crossfade-decision@1"
    assert content["decision"]["metadata"]["name"] == "ranker-000007"
    assert [review["spec"]["reason"] for review in content["reviews"]] == ["too soon"]
    assert EvidenceFile.model_validate(content["evidence"]) == evidence


def test_a_record_that_says_otherwise_than_its_evidence_is_found_out(
    command: Command, tmp_path: Path, program: Callable[..., None]
) -> None:
    content = json.loads(command("export", "ranker-000007")[1])
    content["decision"]["spec"]["results"][0]["verdict"] = "Proven"
    path = tmp_path / "decision.json"
    path.write_text(json.dumps(content))
    program("verified: ...", 0)
    out = io.StringIO()
    assert run(["verify", str(path)], out=out) == 1
    assert "error-rate, verdict: the decision says Proven, recomputed it is Harmful" in " ".join(out.getvalue().split())


@pytest.mark.parametrize(
    ("said", "code", "ends", "words"),
    [
        pytest.param("verified: ...", 0, 0, "verified: the evidence of ModelRollout/recs/ranker", id="it-verifies"),
        pytest.param("NOT VERIFIED: x\n  entry 2: changed\n", 1, 1, "  - entry 2: changed\n", id="it-does-not"),
        pytest.param("", 2, 2, "", id="it-could-not-be-done"),
    ],
)  # fmt: skip
def test_bare_evidence_is_verified_too(
    evidence: EvidenceFile, tmp_path: Path, program: Callable[..., None], said: str, code: int, ends: int, words: str
) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(evidence.model_dump_json(by_alias=True))
    program(said, code)
    out = io.StringIO()
    assert run(["verify", str(path)], out=out) == ends
    assert words in out.getvalue()


def test_without_the_program_it_says_how_to_get_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "decision.json"
    command("export", "ranker-000007", "-o", str(path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["verify", str(path)]) == 2
    assert "uv tool install './analyzer[service]'" in capsys.readouterr().err


def test_a_record_without_evidence_can_be_carried_away_and_not_be_verified(
    command: Command, decision: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del decision["spec"]["evidence"]
    path = tmp_path / "decision.json"
    assert command("export", "ranker-000007", "-o", str(path)) == (
        0,
        f"wrote decision ranker-000007, which rests on no evidence, to {path}\n",
    )
    assert run(["verify", str(path)]) == 2
    assert "rests on no measured evidence" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param('{"format": "crossfade-decision@1", "decision": {}}', "'metadata' is missing", id="no-decision"),
        pytest.param("{", "is no JSON", id="no-json"),
        pytest.param('{"format": "x@1"}', "holds x@1, not crossfade-decision@1", id="another-format"),
        pytest.param("[]", "holds something else", id="no-object"),
        pytest.param('{"format": "crossfade-decision@1", "evidence": {}}', "is damaged", id="no-evidence"),
    ],
)
def test_a_file_that_is_no_export_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    path = tmp_path / "decision.json"
    path.write_text(content)
    assert run(["verify", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "kubectl crossfade export decision/NAME -o FILE" in error
