"""`crossfade-operator serving` and `crossfade-operator learning`: the two controllers, each a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from crossfade_operator.adapters.api import NoCluster
from crossfade_operator.adapters.probes import CannotListen
from crossfade_operator.handlers.watching import quieten_kopf
from crossfade_operator.logs import log_to_stderr
from crossfade_operator.processes.learning import learn
from crossfade_operator.processes.memory import collect_rarely
from crossfade_operator.processes.serving import serve
from crossfade_operator.settings import LearningSettings, ServingSettings, SettingsError

Process = Coroutine[Any, Any, None]


def _serving() -> tuple[ServingSettings, Callable[[], Process]]:
    settings = ServingSettings.from_environment()
    return settings, lambda: serve(settings)


def _learning() -> tuple[LearningSettings, Callable[[], Process]]:
    settings = LearningSettings.from_environment()
    return settings, lambda: learn(settings)


SIDES = {"serving": _serving, "learning": _learning}


def main(arguments: list[str] | None = None) -> int:
    """Run one side. Returns 0 after an orderly stop, 2 when it was not told how to start."""
    parser = argparse.ArgumentParser(prog="crossfade-operator", description="Crossfade's controllers.")
    parser.add_argument("side", choices=sorted(SIDES, reverse=True), help="which controller to run")
    try:
        settings, process = SIDES[parser.parse_args(arguments).side]()
    except SettingsError as error:
        sys.stderr.write(f"crossfade-operator: {error}\n")
        return 2
    log_to_stderr(settings.log_level)
    quieten_kopf()
    collect_rarely()
    try:
        asyncio.run(process())
    except (NoCluster, CannotListen) as error:
        sys.stderr.write(f"crossfade-operator: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
