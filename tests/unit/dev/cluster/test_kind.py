"""What is asked of kind, by a stand-in for it: the tests' machines have no container engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.kind import Kind
from dev.cluster.paths import ClusterPaths
from dev.cluster.programs import Programs

_PROGRAM = """#!/bin/sh
echo "$(basename "$0") [$KIND_EXPERIMENTAL_PROVIDER] $*" >> {log}
case "$*" in
  "get clusters") test -f {there} && echo other test || echo other;;
  "create cluster"*) touch {there};;
  "delete cluster"*) rm {there};;
  *port-forward*) echo "Forwarding from 127.0.0.1:43210 -> 9090"; exec sleep 30;;
esac
"""


class Asked:
    """A kind cluster called `test`, and the commands that were given for it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        (folder / "bin").mkdir()
        for name in ("kind", "kubectl"):
            program = folder / "bin" / name
            program.write_text(_PROGRAM.format(log=self.log, there=folder / "there"))
            program.chmod(0o755)
        self.cluster = Kind(ClusterPaths("test"), Programs.cached(folder), "podman")

    def commands(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if "get clusters" not in line]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("KIND_NODE_IMAGE", raising=False)
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER", raising=False)
    return Asked(tmp_path)


def test_up_makes_one_cluster_however_often(asked: Asked) -> None:
    asked.cluster.up()
    asked.cluster.up()
    made = [command for command in asked.commands() if "create" in command]
    kubeconfig = asked.cluster.paths.kubeconfig
    assert made == [f"kind [podman] create cluster --wait 180s --kubeconfig {kubeconfig} --name test"]
    assert asked.cluster.status().components[0].running


def test_up_takes_the_node_image_that_is_wished_for(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_NODE_IMAGE", "registry.example.com/node:1")
    asked.cluster.up()
    assert "--image registry.example.com/node:1" in asked.commands()[0]


def test_down_removes_the_cluster_and_what_was_kept_and_may_be_repeated(asked: Asked) -> None:
    asked.cluster.up()
    asked.cluster.down()
    asked.cluster.down()
    assert [command for command in asked.commands() if "delete" in command] == [
        f"kind [podman] delete cluster --kubeconfig {asked.cluster.paths.kubeconfig} --name test"
    ]
    assert not asked.cluster.paths.root.exists()
    with pytest.raises(ClusterError, match="not up"):
        asked.cluster.kubeconfig()


def test_an_image_is_loaded_into_this_cluster(asked: Asked) -> None:
    asked.cluster.load_image(Path("/images/router.tar"))
    assert asked.commands() == ["kind [podman] load image-archive /images/router.tar --name test"]


def test_a_port_is_forwarded_to_where_kubectl_says(asked: Asked) -> None:
    asked.cluster.up()
    with asked.cluster.forwarding("svc/prometheus", 9090, local_port=0, namespace="system") as port:
        assert port == 43210
    assert "--namespace system port-forward --address 127.0.0.1 svc/prometheus :9090" in asked.commands()[-1]
