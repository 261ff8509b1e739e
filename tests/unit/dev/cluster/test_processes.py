"""Only what was started is stopped, and a pid that means another process by now is left alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.processes import ProcessTable, identity_of, stop_process
from dev.cluster.waiting import NotYetError, wait_for

IDLE = [sys.executable, "-c", "import threading; threading.Event().wait()"]
IGNORES_TERM = """
import signal, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
threading.Event().wait()
"""
DEAF = [sys.executable, "-c", IGNORES_TERM]


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ProcessTable]:
    made = ProcessTable(tmp_path / "processes", tmp_path / "logs")
    yield made
    made.stop_all(grace=0)


def test_a_started_process_is_found_by_another_command(table: ProcessTable, tmp_path: Path) -> None:
    started = table.start("idle", IDLE)
    assert ProcessTable(tmp_path / "processes", tmp_path / "logs").running("idle") == started


def test_starting_twice_starts_once(table: ProcessTable) -> None:
    assert table.start("idle", IDLE) == table.start("idle", IDLE)


def test_stopping_ends_it_and_forgets_it(table: ProcessTable) -> None:
    started = table.start("idle", IDLE)
    table.stop("idle")
    assert identity_of(started.pid) != started.identity
    assert table.records() == []
    table.stop("idle")


def test_a_process_that_ignores_the_request_is_killed(table: ProcessTable, tmp_path: Path) -> None:
    started = table.start("deaf", DEAF)

    def is_deaf() -> None:
        if "deaf" not in Path(started.log).read_text():
            raise NotYetError("an empty log")

    wait_for("the process to be deaf", is_deaf, timeout=10, interval=0.01)
    table.stop("deaf", grace=0.05)
    assert not started.alive


def test_a_pid_that_was_handed_on_is_left_alone(table: ProcessTable) -> None:
    innocent = table.start("innocent", IDLE)
    stop_process(replace(innocent, identity="another boot/12345"), grace=0)
    assert innocent.alive


def test_a_zombie_counts_as_ended(table: ProcessTable) -> None:
    with subprocess.Popen(IDLE) as child:
        assert identity_of(child.pid) is not None
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{child.pid}").exists()
        assert identity_of(child.pid) is None


def test_all_are_stopped_youngest_first(table: ProcessTable, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("etcd", "api", "kubelet"):
        table.start(name, IDLE)
    stopped: list[str] = []
    original = ProcessTable.stop
    monkeypatch.setattr(
        ProcessTable, "stop", lambda self, name, *, grace: (stopped.append(name), original(self, name, grace=grace))
    )
    table.stop_all(grace=0)
    assert stopped == ["kubelet", "api", "etcd"]


def test_an_ended_process_is_reported_with_its_last_words(table: ProcessTable) -> None:
    started = table.start("brief", [sys.executable, "-c", "print('out of memory')"])

    def ended() -> None:
        if started.alive:
            raise NotYetError("it lives")

    wait_for("its end", ended, timeout=10, interval=0.01)
    with pytest.raises(ClusterError, match=r"brief has ended(.|\n)*out of memory"):
        table.require_alive("brief")


def test_a_missing_command_is_named(table: ProcessTable) -> None:
    with pytest.raises(ClusterError, match="command not found: no-such-command"):
        table.start("missing", ["no-such-command"])


def test_a_child_dies_with_its_parent_when_asked_to(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from dev.cluster.processes import ProcessTable;"
        "table = ProcessTable(Path(sys.argv[1]) / 'processes', Path(sys.argv[1]) / 'logs');"
        f"table.start('idle', {IDLE!r}, die_with_parent=True)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    (record,) = ProcessTable(tmp_path / "processes", tmp_path / "logs").records()

    def ended() -> None:
        if record.alive:
            raise NotYetError("the child lives")

    wait_for("the child's end", ended, timeout=10, interval=0.01)
