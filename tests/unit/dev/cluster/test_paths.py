"""Names of clusters, and where their state lives."""

from pathlib import Path

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.namespaces import ensure_namespaces
from dev.cluster.paths import ClusterPaths, cache_root
from dev.cluster.processes import ProcessTable


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a/b", "..", "a" * 33])
def test_a_name_that_would_not_do_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="is not usable"):
        ClusterPaths(name)


def test_folders_follow_the_xdg_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert ClusterPaths("a").root == tmp_path / "state" / "crossfade" / "a"
    assert cache_root() == tmp_path / "cache" / "crossfade"


def test_state_below_var_is_refused_as_the_node_could_not_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/tmp")
    table = ProcessTable(tmp_path / "processes", tmp_path / "logs")
    with pytest.raises(ClusterError, match="set XDG_STATE_HOME"):
        ensure_namespaces(table, ClusterPaths("test"))
    assert table.records() == []
