"""The verbs on the store: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade_analyzer.__main__ import main
from crossfade_analyzer.store.evidence import Evidence
from tests.fakes.experiments import ERRORS, PLAYS, SUBJECT, mock
from tests.scenario.analyzer.experiments.conftest import Dry


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dry:
    dry = Dry(tmp_path)
    dry.designed(metrics=(PLAYS, ERRORS), mock=mock(plays=(2.0, 2.2)))
    dry.go(15)
    dry.store.close()
    monkeypatch.setenv("CROSSFADE_STORE_URL", f"sqlite:///{tmp_path / 'evidence.db'}")
    return dry


def test_evidence_is_exported_and_verifies_on_another_machine(
    judged: Dry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = list(judged.store.chain(SUBJECT))[-1].digest
    assert main(["export", digest]) == 0
    path = tmp_path / "evidence.json"
    path.write_text(capsys.readouterr().out)
    monkeypatch.setenv("CROSSFADE_STORE_URL", "sqlite:////nonexistent/evidence.db")
    assert main(["verify", str(path)]) == 0
    assert capsys.readouterr().out == f"verified: {SUBJECT}, 10 windows, 1 looks, Ship by experiment@1\n"
    changed = json.loads(path.read_text())
    changed["entries"][3]["body"]["requests"][0][0] += 1
    path.write_text(json.dumps(changed))
    assert main(["verify", str(path)]) == 1
    assert "the content was changed" in capsys.readouterr().out
    path.write_text("{}")
    assert main(["verify", str(path)]) == 2
    assert "no evidence file" in capsys.readouterr().err


def test_a_digest_is_verified_from_the_store(judged: Dry, capsys: pytest.CaptureFixture[str]) -> None:
    digest = list(judged.store.chain(SUBJECT))[-1].digest
    assert main(["verify", digest]) == 0
    unknown = "sha256:" + "0" * 64
    assert [main([verb, unknown]) for verb in ("verify", "export")] == [2, 2]
    assert "has the digest" in capsys.readouterr().err


def test_the_store_is_backed_up_and_restored(
    judged: Dry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "copy.db"
    assert main(["backup", str(path)]) == 0
    assert "13 entries of 1 subjects, every chain checked" in capsys.readouterr().out
    assert main(["backup", str(path)]) == 2
    monkeypatch.setenv("CROSSFADE_STORE_URL", f"sqlite:///{tmp_path / 'another.db'}")
    assert main(["restore", str(path)]) == 0
    assert main(["restore", str(path)]) == 0
    out = capsys.readouterr().out
    assert "13 of 13 entries of 1 subjects were missing and are restored" in out
    assert "0 of 13 entries" in out
    assert main(["restore", str(tmp_path / "absent")]) == 2


def test_what_is_at_rest_is_archived(
    judged: Dry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "archive.db")
    assert main(["archive", path, "--before", "2000-01-01"]) == 0
    assert "every subject was added to since 2000-01-01: nothing is archived" in capsys.readouterr().out
    assert main(["archive", path, "--before", "2999-01-01"]) == 2
    assert "less than 30 days ago" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["archive", path, "--before", "yesterday"])
    assert "must be a day such as 2026-01-31, not 'yesterday'" in capsys.readouterr().err
    old = Evidence(f"sqlite:///{tmp_path / 'old.db'}")
    old.migrate()
    for entry in judged.store.dump():
        old.append(entry, "2020-01-01T00:00:00+00:00")
    old.close()
    monkeypatch.setenv("CROSSFADE_STORE_URL", f"sqlite:///{tmp_path / 'old.db'}")
    assert main(["archive", path, "--before", "2020-01-02"]) == 0
    assert f"13 entries of 1 subjects, every chain checked, are in {path}" in capsys.readouterr().out
    assert main(["restore", path]) == 0
    assert "13 of 13 entries" in capsys.readouterr().out


def test_entries_are_dumped_line_by_line(judged: Dry, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["opened", "window", "plan", *["window"] * 9, "look"]
