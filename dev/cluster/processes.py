"""Processes that outlive the command that started them, recorded so that only they are ever stopped."""

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.cluster.commands import tail
from dev.cluster.errors import ClusterError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessRecord:
    """A started process. Its pid alone would not do: the kernel hands pids out again."""

    name: str
    pid: int
    identity: str
    """Boot id and start time in clock ticks since boot; together with the pid, unique."""
    log: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return identity_of(self.pid) == self.identity

    def last_words(self) -> str:
        """The end of its log, for error messages."""
        with contextlib.suppress(OSError):
            return tail(Path(self.log).read_text(errors="replace"))
        return "    (no log)"


class ProcessTable:
    """Starts, finds and stops processes by name; one record file each in ``folder``."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self._folder = folder
        self._logs = logs

    def start(
        self, name: str, argv: Sequence[str | Path], *, die_with_parent: bool = False, fds: Sequence[int] = ()
    ) -> ProcessRecord:
        """Start a process in a session of its own, unless it already runs.

        Args:
            name: what to find it by.
            argv: its command line.
            die_with_parent: it is killed when the calling process ends, however that ends.
            fds: open file descriptors to hand on, under their numbers.
        """
        if running := self.running(name):
            return running
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        prefix = ["setpriv", "--pdeathsig", "KILL", "--"] if die_with_parent else []
        with log.open("ab") as output:
            process = _spawn([*prefix, *argv], output.fileno(), fds)
        record = ProcessRecord(name, process.pid, identity_of(process.pid) or "ended at once", str(log))
        self._write(record)
        process.returncode = 0  # it is meant to live on: keeps Popen from warning about that
        return record

    def running(self, name: str) -> ProcessRecord | None:
        """The live process of that name, or None."""
        return next((record for record in self.records() if record.name == name and record.alive), None)

    def records(self) -> list[ProcessRecord]:
        """Everything recorded, alive or not, oldest first."""
        found: list[tuple[int, ProcessRecord]] = []
        for path in self._folder.glob("*.json"):
            # Another command may just be stopping this one.
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, ProcessRecord(**json.loads(path.read_text()))))
        return [record for _, record in sorted(found, key=lambda pair: pair[0])]

    def stop(self, name: str, *, grace: float = 10.0) -> None:
        """Ask the process to end, kill it after ``grace`` seconds, and forget it. Does nothing when it is gone."""
        for record in self.records():
            if record.name == name:
                stop_process(record, grace=grace)
                (self._folder / f"{name}.json").unlink(missing_ok=True)

    def stop_all(self, *, grace: float = 10.0) -> None:
        """Stop every recorded process, youngest first."""
        for record in reversed(self.records()):
            self.stop(record.name, grace=grace)

    def require_alive(self, name: str) -> None:
        """Raise ``ClusterError`` with the end of its log if the process has ended."""
        for record in self.records():
            if record.name == name and not record.alive:
                raise ClusterError(f"{name} has ended; the end of {record.log}:\n{record.last_words()}")

    def _write(self, record: ProcessRecord) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f".{record.name}.new"
        fresh.write_text(json.dumps(asdict(record)))
        fresh.rename(self._folder / f"{record.name}.json")


def identity_of(pid: int) -> str | None:
    """What tells the process with this pid from all others that ever had it; None when it is gone or a zombie."""
    try:
        # The second field, the command, may itself hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, start_time = fields[0], fields[19]
    return None if state in "ZX" else f"{BOOT_ID.read_text().strip()}/{start_time}"


def stop_process(record: ProcessRecord, *, grace: float) -> None:
    """End one recorded process: SIGTERM, then SIGKILL after ``grace`` seconds (at once when 0)."""
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return
    try:
        # The handle is taken first: from here on the pid cannot come to mean another process.
        if record.alive:
            for signal_number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
                if patience > 0 and _signalled(handle, signal_number, patience):
                    break
            else:
                raise ClusterError(f"process {record.pid} ({record.name}) does not end, not even when killed")
    finally:
        os.close(handle)
    _reap(record.pid)


def _signalled(handle: int, signal_number: signal.Signals, patience: float) -> bool:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal_number)
    ended, _, _ = select.select([handle], [], [], patience)
    return bool(ended)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _spawn(argv: Sequence[str | Path], output: int, fds: Sequence[int]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=fds,
        )
    except FileNotFoundError as missing:
        raise ClusterError(f"command not found: {missing.filename}") from missing
