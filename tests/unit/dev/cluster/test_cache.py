"""A cache that is half built or damaged heals itself."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dev.cluster.cache import MANIFEST, Cache, digest
from dev.cluster.errors import ClusterError


class Recipe:
    """Builds one file, and counts how often."""

    def __init__(self, content: str = "program") -> None:
        self.content = content
        self.builds = 0

    def __call__(self, folder: Path) -> None:
        self.builds += 1
        (folder / "program").write_text(self.content)


def fresh(root: Path) -> Cache:
    """A cache as another process would see it: what one object has verified, it does not verify again."""
    return Cache(root, "key")


def test_what_is_built_is_kept(tmp_path: Path) -> None:
    recipe = Recipe()
    folder = fresh(tmp_path).ensure("etcd", recipe)
    assert fresh(tmp_path).ensure("etcd", recipe) == folder
    assert (folder / "program").read_text() == "program"
    assert recipe.builds == 1


def test_another_key_is_another_build(tmp_path: Path) -> None:
    recipe = Recipe()
    Cache(tmp_path, "1.36.3").ensure("etcd", recipe)
    Cache(tmp_path, "1.36.4").ensure("etcd", recipe)
    assert recipe.builds == 2


def test_the_manifest_holds_the_digest_of_every_file(tmp_path: Path) -> None:
    folder = fresh(tmp_path).ensure("etcd", Recipe())
    assert json.loads((folder / MANIFEST).read_text()) == {"sha256": {"program": digest(folder / "program")}}


def truncate(folder: Path) -> None:
    (folder / "program").write_bytes(b"")


def change_one_byte_and_keep_size_and_time(folder: Path) -> None:
    times = (folder / "program").stat()
    (folder / "program").write_text("progrbm")
    os.utime(folder / "program", ns=(times.st_atime_ns, times.st_mtime_ns))


def remove_the_file(folder: Path) -> None:
    (folder / "program").unlink()


def remove_the_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def cut_the_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text('{"sha256": {"prog')


def put_something_else_as_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("[]")


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        change_one_byte_and_keep_size_and_time,
        remove_the_file,
        remove_the_manifest,
        cut_the_manifest,
        put_something_else_as_manifest,
    ],
)
def test_a_damaged_entry_is_not_found_and_is_built_again(tmp_path: Path, damage: object) -> None:
    recipe = Recipe()
    folder = fresh(tmp_path).ensure("etcd", recipe)
    assert callable(damage)
    damage(folder)
    assert fresh(tmp_path).find("etcd") is None
    assert (fresh(tmp_path).ensure("etcd", recipe) / "program").read_text() == "program"
    assert recipe.builds == 2


def test_a_failed_build_leaves_no_entry_and_no_folder(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "program").write_text("half")
        raise ClusterError("the compiler ran out of memory")

    with pytest.raises(ClusterError, match="out of memory"):
        fresh(tmp_path).ensure("etcd", fail)
    assert fresh(tmp_path).find("etcd") is None
    assert sorted(path.name for path in (tmp_path / "key").iterdir()) == [".lock"]


def test_a_build_that_makes_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="build of etcd made no file"):
        fresh(tmp_path).ensure("etcd", lambda folder: None)


KILLED = """
import os, signal, sys
from pathlib import Path
from dev.cluster.cache import Cache

def build(folder):
    (folder / "program").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

Cache(Path(sys.argv[1]), "key").ensure("etcd", build)
"""


def test_a_killed_build_leaves_no_entry_and_its_rest_is_cleared_by_the_next(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path for path in (tmp_path / "key").iterdir() if path.is_dir()] != []
    assert fresh(tmp_path).find("etcd") is None
    fresh(tmp_path).ensure("etcd", Recipe())
    assert sorted(path.name for path in (tmp_path / "key").iterdir()) == [".lock", "etcd"]


def test_a_second_builder_waits_and_takes_what_the_first_made(tmp_path: Path) -> None:
    recipe, started, go_on = Recipe(), threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        started.set()
        assert go_on.wait(10)
        recipe(folder)

    first = threading.Thread(target=lambda: fresh(tmp_path).ensure("etcd", slow))
    first.start()
    assert started.wait(10)
    second = threading.Thread(target=lambda: fresh(tmp_path).ensure("etcd", slow))
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(10)
        assert not thread.is_alive()
    assert recipe.builds == 1


def test_keep_only_removes_the_others(tmp_path: Path) -> None:
    cache = fresh(tmp_path)
    for name in ("old", "new"):
        cache.ensure(name, Recipe())
    cache.keep_only("new")
    assert fresh(tmp_path).find("old") is None
    assert fresh(tmp_path).find("new") is not None
