"""A store of built files that notices what is half built or damaged, and builds it again."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.cluster.errors import ClusterError
from dev.cluster.progress import say

MANIFEST = "manifest.json"
CHUNK = 1 << 20


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Cache:
    """Entries are folders ``<root>/<key>/<name>`` that appear whole or not at all.

    An entry holds the built files and a manifest of their digests. It is made in a temporary folder beside its place
    and renamed, so that a build that was killed leaves no entry; a file that no longer has its digest makes the
    entry count as absent.
    """

    def __init__(self, root: Path, key: str) -> None:
        self._folder = root / key
        self._known_good: set[str] = set()

    def find(self, name: str) -> Path | None:
        """The folder of a good entry, or None."""
        folder = self._folder / name
        if name not in self._known_good:
            if _damage(folder) is not None:
                return None
            self._known_good.add(name)
        return folder

    def ensure(self, name: str, build: Callable[[Path], None]) -> Path:
        """Return the folder of a good entry, calling ``build(folder to fill)`` when there is none.

        Two processes never build in the same cache at once: the second waits, then finds what the first made.
        """
        return self.find(name) or self._build(name, build)

    def keep_only(self, name: str) -> None:
        """Remove all other entries of this key."""
        with self._locked():
            for folder in self._folder.iterdir():
                if folder.is_dir() and folder.name != name:
                    shutil.rmtree(folder)

    def _build(self, name: str, build: Callable[[Path], None]) -> Path:
        with self._locked():
            if found := self.find(name):
                return found
            self._clear(name)
            workspace = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=self._folder))
            try:
                build(workspace)
                _seal(workspace)
                workspace.rename(self._folder / name)
            finally:
                shutil.rmtree(workspace, ignore_errors=True)
            return self._folder / name

    def _clear(self, name: str) -> None:
        """Remove a damaged entry and what killed builds left; only called under the lock."""
        if (self._folder / name).exists():
            say(f"  ! {self._folder / name} is damaged ({_damage(self._folder / name)}): building it again")
            shutil.rmtree(self._folder / name)
        for leftover in self._folder.glob(f".{name}.*"):
            shutil.rmtree(leftover)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"  … another build is at work in {self._folder}: waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _seal(folder: Path) -> None:
    """Write the manifest and everything else through to the disk, so that a power cut cannot leave empty files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise ClusterError(f"the build of {folder.name.split('.')[1]} made no file")
    manifest = {str(path.relative_to(folder)): digest(path) for path in files}
    (folder / MANIFEST).write_text(json.dumps({"sha256": manifest}, indent=1))
    for path in [*files, folder / MANIFEST]:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _damage(folder: Path) -> str | None:
    """What is wrong with an entry, or None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return "no readable manifest"
    for name, expected in manifest.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if digest(folder / name) != expected:
            return f"{name} is not what was built"
    return None
