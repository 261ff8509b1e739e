"""`crossfade-analyzer`: serve, migrate, verify, export, dump, backup, restore, archive, openapi."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time as clock
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from crossfade_analyzer import commands
from crossfade_analyzer.settings import InvalidSetting, Settings, settings, store_url
from crossfade_analyzer.store.evidence import Evidence, StoreUnavailable

if TYPE_CHECKING:
    from fastapi import FastAPI

_EXPERIMENTS_REMEMBERED = 16  # each holds all of its windows: a few megabytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Exit codes: 0 done (verified), 1 differences found, 2 it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (InvalidSetting, StoreUnavailable, commands.Failed) as error:
        print(f"crossfade-analyzer: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crossfade-analyzer", description="Judges model rollouts from raw samples.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("serve", help="run the HTTP service").set_defaults(run=_serve)
    verbs.add_parser("migrate", help="create or update the evidence store's schema").set_defaults(run=_migrate)
    verify = verbs.add_parser("verify", help="recompute what was judged, from the store or an exported file alone")
    verify.add_argument("evidence", metavar="DIGEST|FILE", help="sha256:..., or a file that `export` wrote")
    verify.set_defaults(run=commands.verify)
    export = verbs.add_parser("export", help="print all evidence behind a digest as a file that verifies anywhere")
    export.add_argument("digest", metavar="DIGEST", help="sha256:..., from a status, a Decision or an evaluation")
    export.set_defaults(run=commands.export)
    dump = verbs.add_parser("dump", help="print entries as one JSON object per line")
    dump.add_argument("subject", nargs="?", help="only this subject")
    dump.set_defaults(run=commands.dump)
    backup = verbs.add_parser("backup", help="write a consistent copy of the store to one file, while it is in use")
    backup.add_argument("file", metavar="FILE", type=Path)
    backup.set_defaults(run=commands.backup)
    restore = verbs.add_parser("restore", help="add a backup's entries to the store, checking every chain")
    restore.add_argument("file", metavar="FILE", type=Path)
    restore.set_defaults(run=commands.restore)
    archive = verbs.add_parser("archive", help="move evidence that is at rest since a day from the store to one file")
    archive.add_argument("file", metavar="FILE", type=Path)
    archive.add_argument("--before", metavar="DAY", type=_day, required=True, help="such as 2026-01-31, UTC")
    archive.set_defaults(run=commands.archive)
    verbs.add_parser("openapi", help="print the HTTP API's OpenAPI document").set_defaults(run=_openapi)
    return parser


def _day(text: str) -> datetime:
    """The beginning of a day, UTC."""
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a day such as 2026-01-31, not {text!r}") from error


def _serve(_: argparse.Namespace) -> int:
    import uvicorn

    chosen = settings(os.environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("httpx", "httpcore", "alembic"):  # a line per query and per probe buries everything else
        logging.getLogger(noisy).setLevel(logging.WARNING)
    store = Evidence(chosen.store_url)
    store.migrate()
    store.check()
    uvicorn.run(_service(chosen, store), host=chosen.host, port=chosen.port, log_level="warning", access_log=False)
    return 0


def _service(chosen: Settings, store: Evidence) -> FastAPI:
    from crossfade_analyzer.evaluator import Evaluator
    from crossfade_analyzer.experiments.evaluator import ExperimentEvaluator
    from crossfade_analyzer.service import Parts, application
    from crossfade_analyzer.sources.prometheus import Prometheus
    from crossfade_analyzer.telemetry import MeasuredSource, Telemetry

    telemetry = Telemetry()
    source = MeasuredSource(Prometheus(chosen.prometheus_url, chosen.prometheus_timeout), telemetry)
    freshness = round(chosen.freshness * 1000)
    evaluator = Evaluator(source, store, _now_ms, freshness, chosen.remembered, telemetry.looks.inc)
    experiments = ExperimentEvaluator(
        source,
        store,
        _now_ms,
        freshness,
        min(chosen.remembered, _EXPERIMENTS_REMEMBERED),
        telemetry.windows.inc,
        telemetry.experiment_looked,
    )
    return application(Parts(evaluator, experiments, source, store, telemetry, _now_ms))


def _now_ms() -> int:
    return clock.time_ns() // 1_000_000


def _migrate(_: argparse.Namespace) -> int:
    Evidence(store_url(os.environ)).migrate()
    print("the evidence store's schema is up to date")
    return 0


def _openapi(_: argparse.Namespace) -> int:
    store = Evidence("sqlite:////nonexistent/openapi.db")  # never opened: the document depends on no state
    app = _service(Settings("http://localhost:9090"), store)
    print(json.dumps(app.openapi(), indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
