"""`kubectl crossfade` as a person types it: the command is shown, then what it says."""

from __future__ import annotations

import io
import shlex
from contextlib import redirect_stderr

from crossfade_operator.cli.main import run
from dev.cluster.errors import ClusterError
from dev.demo.kube import NAMESPACE, Kube
from dev.demo.show import Show


class _Page(io.StringIO):
    """Text for a terminal, or for a file, as the show's own is."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Plugin:
    """The plugin, in this process: the same code, without the seconds that each start of it takes."""

    def __init__(self, kube: Kube, show: Show) -> None:
        self._kube, self._show = kube, show

    def __call__(self, *arguments: str, quiet: bool = False) -> int:
        """Carry out one command and show what it says, unless `quiet`; returns its exit code.

        Raises:
            ClusterError: it was refused, with the sentence that a person would have read.
        """
        self._show.command(f"kubectl crossfade {shlex.join(arguments)} -n {NAMESPACE}")
        page, problems = _Page(terminal=self._show.redraws), io.StringIO()
        with redirect_stderr(problems):
            code = run([*arguments, "--kubeconfig", str(self._kube.kubeconfig), "-n", NAMESPACE], out=page)
        if problems.getvalue():
            raise ClusterError(f"kubectl crossfade {arguments[0]} was refused\n{problems.getvalue().rstrip()}")
        if not quiet:
            for line in page.getvalue().splitlines():
                self._show.say(line)
        return code
