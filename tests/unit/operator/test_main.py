"""The command line, as far as it needs no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade_operator.__main__ import main


@pytest.mark.parametrize("side", ["serving", "learning"])
def test_a_missing_setting_is_named(
    side: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CROSSFADE_ANALYZER_URL", raising=False)
    monkeypatch.setenv("CROSSFADE_ROUTER_IMAGE", "envoy:1")
    assert main([side]) == 2
    assert "set CROSSFADE_ANALYZER_URL: it is required" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["serving", "learning"])
def test_a_missing_kubeconfig_is_said_with_what_to_do(
    side: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"ANALYZER_URL": "http://analyzer", "ROUTER_IMAGE": "envoy:1", "LISTEN": "127.0.0.1:0"}.items():
        monkeypatch.setenv(f"CROSSFADE_{name}", value)
    for name in ("log_to_stderr", "quieten_kopf", "collect_rarely"):
        monkeypatch.setattr(f"crossfade_operator.__main__.{name}", lambda *_: None)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main([side]) == 2
    assert "set KUBECONFIG" in capsys.readouterr().err


def test_an_unknown_side_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["both"])
    assert stopped.value.code == 2
    assert "serving" in capsys.readouterr().err
