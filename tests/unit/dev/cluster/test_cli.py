"""The command line refuses what it cannot do, with a sentence and a status."""

from pathlib import Path

import pytest

from dev.cluster.cli import main, parser


@pytest.fixture(autouse=True)
def _no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CROSSFADE_CLUSTER", "node")


def test_status_of_a_cluster_that_is_not_up_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "absent", "status"]) == 1
    assert "cluster absent (node) is not up" in capsys.readouterr().out


def test_kubeconfig_of_a_cluster_that_is_not_up_says_how_to_start_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kubeconfig"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "python -m dev.cluster up" in captured.err


def test_down_without_a_cluster_does_nothing() -> None:
    assert main(["down"]) == 0


def test_a_bad_name_is_an_error_not_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "Not Usable", "status"]) == 1
    assert "cluster name 'Not Usable' is not usable" in capsys.readouterr().err


def test_ports_are_given_as_to_kubectl() -> None:
    assert [parser().parse_args(["forward", "svc/x", port]).port for port in ("80", "8080:80")] == [(80, 0), (80, 8080)]


@pytest.mark.parametrize("port", ["http", "0", "70000:80", "x:80", "80:", ""])
def test_a_bad_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["forward", "svc/x", port])
    assert exit_.value.code == 2
    assert "PORT" in capsys.readouterr().err
