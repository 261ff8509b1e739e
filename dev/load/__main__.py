"""`python -m dev.load http://127.0.0.1:PORT --rate 300 --seconds 60`: a load, its progress, and a JSON summary."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dev.load.models import Models, train_if_stale
from dev.load.runner import Load, Runner
from dev.load.slices import Slices
from dev.load.tally import Tally

MODELS = Path(__file__).parents[2] / "serving_image" / "models"
LONGEST = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play one load; 0 when nothing failed but what the models fail themselves, 1 otherwise."""
    options = _options(arguments)
    train_if_stale(options.models)
    tally = Tally(Models.in_directory(options.models), options.slices)
    try:
        elapsed = asyncio.run(_play(options, tally))
    except KeyboardInterrupt:
        return 130
    print(json.dumps(tally.summary(elapsed), indent=None if options.json_lines else 2), flush=True)
    return 1 if tally.failed else 0


async def _play(options: argparse.Namespace, tally: Tally) -> float:
    load = Load(
        host=options.target.hostname,
        port=options.target.port or 80,
        rate=options.rate,
        seconds=options.seconds,
        connections=options.connections,
        seed=options.seed,
        model=options.model,
        unit_header=options.unit_header,
        outcomes=options.outcomes,
    )
    runner = Runner(load, tally)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, runner.stop)
    await runner.run(_print_json if options.json_lines else _print_line)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return runner.elapsed


def _print_json(runner: Runner) -> None:
    print(json.dumps(runner.tally.summary(runner.elapsed)), flush=True)


def _print_line(runner: Runner) -> None:
    tally = runner.tally
    share = ", ".join(f"{name} {one.requests / tally.requests:.0%}" for name, one in sorted(tally.by_model.items()))
    delays = tally.latencies.milliseconds()
    text = (
        f"{runner.elapsed:5.0f} s  {tally.requests:,} requests by {len(tally.per_user):,} users  [{share}]  "
        f"p50 {delays['p50']} ms, p99 {delays['p99']} ms  failed {tally.failed.total()}"
    ) + (f"  skipped {tally.skipped}" if tally.skipped else "")
    print(f"\r{text}\x1b[K" if sys.stderr.isatty() else text, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.load", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", type=_target, help="the endpoint's address, such as http://127.0.0.1:18080")
    parser.add_argument("--rate", type=_positive, default=300.0, help="requests per second (default 300)")
    parser.add_argument("--seconds", type=_positive, default=60.0, help=f"how long, at most {LONGEST:.0f} (default 60)")
    parser.add_argument("--connections", type=int, default=64, help="connections at most (default 64)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same requests (default 1)")
    parser.add_argument("--model", default="ranker", help="name in /v2/models/NAME/infer (default ranker)")
    parser.add_argument("--unit-header", default="x-user-id", help="header with the user (default x-user-id)")
    parser.add_argument("--models", type=Path, default=MODELS, help="where the model files are, to name who answered")
    parser.add_argument("--slices", type=_slices, help="a file that says which users to count apart, as JSON")
    parser.add_argument("--outcomes", action="store_true", help="report what listeners play, POST /v1/outcomes")
    parser.add_argument("--json-lines", action="store_true", help="a JSON line per second instead of progress")
    options = parser.parse_args(arguments)
    if options.seconds > LONGEST:
        parser.error(f"--seconds {options.seconds:g} is more than {LONGEST:.0f}: start a second load after it")
    if options.connections < 1:
        parser.error("--connections must be 1 or more")
    return options


def _target(text: str) -> object:
    try:
        parts = urlsplit(text)
        fits = parts.scheme == "http" and parts.hostname is not None and parts.path in ("", "/")
        _ = parts.port
    except ValueError:
        fits = False
    if not fits:
        raise argparse.ArgumentTypeError(f"must be http://HOST:PORT, not {text!r}")
    return parts


def _slices(text: str) -> Slices:
    try:
        return Slices.read(Path(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
