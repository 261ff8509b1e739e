"""Programs are found by the versions that the module pins, and built with them."""

import stat
from pathlib import Path

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.paths import TOOLS_MODULE
from dev.cluster.programs import NODE, PACKAGES, Programs, find_client, versions_key

GO_MOD = "module example\n\nrequire (\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n"

# Notes its arguments and version flags in the file that it is asked to build.
FAKE_GO = """#!/bin/sh
while [ "$1" != -o ]; do
  [ "$1" = -ldflags ] && flags="$2"
  shift
done
echo "$3 CGO_ENABLED=$CGO_ENABLED $flags" > "$2"
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    (folder / "forward").mkdir(parents=True)
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "go.sum").write_text("k8s.io/kubernetes v1.36.3 h1:=\n")
    (folder / "forward" / "main.go").write_text("package main\n")
    return folder


@pytest.fixture
def path_with_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "go").write_text(FAKE_GO)
    (folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_a_program_is_built_static_and_knows_its_version(tmp_path: Path, module: Path, path_with_go: Path) -> None:
    built = Programs.cached(tmp_path / "cache", module).path("kubectl").read_text()
    assert built.startswith("k8s.io/kubernetes/cmd/kubectl CGO_ENABLED=0 ")
    assert "version.gitVersion=v1.36.3" in built
    assert "version.gitMajor=1" in built
    assert "version.gitMinor=36" in built


def test_missing_tells_what_is_not_built(tmp_path: Path, module: Path, path_with_go: Path) -> None:
    programs = Programs.cached(tmp_path / "cache", module)
    programs.ensure(["etcd"])
    assert programs.missing(["etcd", "kubelet"]) == ["kubelet"]


def test_a_changed_version_changes_all_programs(tmp_path: Path, module: Path) -> None:
    before = versions_key(module)
    (module / "go.sum").write_text("k8s.io/kubernetes v1.36.4 h1:=\n")
    assert versions_key(module) != before


def test_a_changed_source_of_ours_changes_only_its_program(tmp_path: Path, module: Path, path_with_go: Path) -> None:
    programs = Programs.cached(tmp_path / "cache", module)
    programs.ensure(["kubectl", "forward"])
    (module / "forward" / "main.go").write_text("package main // changed\n")
    assert Programs.cached(tmp_path / "cache", module).missing(["kubectl", "forward"]) == ["forward"]


def test_without_go_the_error_says_how_to_get_it(tmp_path: Path, module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"command not found: go(.|\n)*go.dev/doc/install"):
        Programs.cached(tmp_path / "cache", module).path("etcd")


def test_a_module_without_kubernetes_is_refused(tmp_path: Path, module: Path) -> None:
    (module / "go.mod").write_text("module example\n")
    with pytest.raises(ClusterError, match=r"requires no k8s\.io/kubernetes"):
        Programs.cached(tmp_path / "cache", module)


def test_an_unknown_program_is_refused(tmp_path: Path, module: Path) -> None:
    with pytest.raises(ClusterError, match="no program named 'kubeadm'"):
        Programs.cached(tmp_path / "cache", module).path("kubeadm")


def test_a_client_on_path_is_taken_without_a_build(tmp_path: Path, module: Path, path_with_go: Path) -> None:
    installed = path_with_go / "kind"
    installed.write_text("")
    installed.chmod(installed.stat().st_mode | stat.S_IXUSR)
    assert find_client(Programs.cached(tmp_path / "cache", module), "kind") == installed


def test_every_program_of_the_node_is_pinned_by_the_module() -> None:
    pinned = (TOOLS_MODULE / "go.mod").read_text()
    for name in NODE:
        package = PACKAGES[name]
        if package.startswith("./"):
            assert (TOOLS_MODULE / package / "main.go").is_file(), name
        else:
            assert f"\t{package}\n" in pinned, name
