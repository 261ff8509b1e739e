"""Running short commands, with an error that shows what they said."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.cluster.errors import ClusterError

LAST_LINES = 15


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = 600,
    hint: str = "",
) -> str:
    """Run a command to its end and return its standard output.

    Args:
        argv: the command line.
        cwd, env, stdin, timeout: as for ``subprocess.run``.
        hint: what to do when the command is not installed.

    Raises:
        ClusterError: it is missing, took longer than ``timeout`` seconds, or exited with a status other than 0.
    """
    shown = shlex.join(str(part) for part in argv)
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, input=stdin, timeout=timeout, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as missing:
        raise ClusterError(f"command not found: {argv[0]} (needed for: {shown})", hint) from missing
    except subprocess.TimeoutExpired as late:
        raise ClusterError(f"gave up after {timeout} s: {shown}") from late
    if done.returncode != 0:
        raise ClusterError(f"failed with status {done.returncode}: {shown}\n{tail(done.stderr or done.stdout)}")
    return done.stdout


def tail(text: str, lines: int = LAST_LINES) -> str:
    """The last lines of a text, indented for an error message."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])
