"""kind is chosen where an engine answers; a cluster keeps its kind."""

from pathlib import Path

import pytest

from dev.cluster import choice
from dev.cluster.errors import ClusterError
from dev.cluster.kind import find_engine
from dev.cluster.paths import ClusterPaths
from dev.cluster.programs import Programs


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(choice.VARIABLE, raising=False)


def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answers: bool) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(f"#!/bin/sh\nexit {0 if answers else 1}\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def chosen(tmp_path: Path) -> str:
    return choice.choose_backend(ClusterPaths("test"), Programs.cached(tmp_path)).kind


def test_kind_where_an_engine_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(tmp_path, monkeypatch, answers=True)
    assert find_engine() == "docker"
    assert chosen(tmp_path) == "kind"


def test_a_node_where_the_engine_is_installed_but_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(tmp_path, monkeypatch, answers=False)
    assert chosen(tmp_path) == "node"


def test_a_node_where_there_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chosen(tmp_path) == "node"


def test_a_node_stays_one_though_an_engine_answers_by_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(tmp_path, monkeypatch, answers=True)
    ClusterPaths("test").processes.mkdir(parents=True)
    assert chosen(tmp_path) == "node"


def test_the_variable_overrides_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(tmp_path, monkeypatch, answers=True)
    monkeypatch.setenv(choice.VARIABLE, "node")
    assert chosen(tmp_path) == "node"


def test_kind_without_an_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(choice.VARIABLE, "kind")
    with pytest.raises(ClusterError, match="no container engine answers"):
        chosen(tmp_path)


def test_an_unknown_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "minikube")
    with pytest.raises(ClusterError, match="set it to kind or node"):
        chosen(tmp_path)
