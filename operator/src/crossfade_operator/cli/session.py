"""What a command works with: the cluster, reached only when it is needed, and where its words go."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TextIO

import yaml

from crossfade_operator.cli.client import Cluster
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.text import sentence

WIDEST = 120


def columns_of(stream: TextIO) -> int | None:
    """Of the terminal behind a stream; None where there is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


class Session:
    """One command's surroundings."""

    def __init__(self, connect: Callable[[], Cluster], out: TextIO, now: Callable[[], datetime] | None = None) -> None:
        self._connect, self.out = connect, out
        self.now = (now or (lambda: datetime.now(UTC)))()

    @cached_property
    def cluster(self) -> Cluster:
        """Raises `Problem` when there is none to be reached."""
        return self._connect()

    @property
    def paint(self) -> Paint:
        return Paint.for_stream(self.out)

    @property
    def wide(self) -> int:
        """Columns that words are wrapped to."""
        return min(shutil.get_terminal_size().columns, WIDEST)

    @property
    def cut(self) -> int | None:
        """Columns that lines are cut to: the terminal's. None where there is no terminal."""
        return columns_of(self.out)

    def signature(self) -> str:
        """The caller's user name for what needs none; empty where it cannot be told, because that stops nobody."""
        try:
            return self.cluster.whoami()
        except Problem:
            return ""

    def say(self, lines: str | Iterable[str]) -> None:
        print(lines if isinstance(lines, str) else "\n".join(lines), file=self.out)

    def tell(self, text: str) -> None:
        """A sentence, wrapped on a terminal."""
        self.say(sentence(text, self.cut))

    def warn(self, text: str) -> None:
        print(sentence(text, columns_of(sys.stderr), "warning: ", 9), file=sys.stderr)

    def give(self, obj: Any, form: str) -> None:
        """Plain values as `json` or `yaml`."""
        if form == "yaml":
            self.out.write(yaml.safe_dump(obj, sort_keys=False, allow_unicode=True))
        else:
            self.say(json.dumps(obj, indent=2, ensure_ascii=False))
