"""The command line, as far as it needs no cluster."""

from __future__ import annotations

import pytest

from crossfade_operator.__main__ import main


def test_the_learning_side_is_refused_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learning"]) == 2
    assert "run `crossfade-operator serving`" in capsys.readouterr().err


def test_a_missing_setting_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSFADE_ANALYZER_URL", raising=False)
    monkeypatch.setenv("CROSSFADE_ROUTER_IMAGE", "envoy:1")
    assert main(["serving"]) == 2
    assert "set CROSSFADE_ANALYZER_URL: it is required" in capsys.readouterr().err


def test_an_unknown_side_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["both"])
    assert stopped.value.code == 2
    assert "serving" in capsys.readouterr().err
