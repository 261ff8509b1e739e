"""What the router costs, and whether it loses a request: `python -m benchmarks.router [load|instructions]`.

Ratios are of interleaved pairs: each slice of a variant is compared with the plain Envoy's slices right before and
after it, so that a machine that gets slower or busier moves both. Everything runs on loopback, one worker each.
Instructions are counted by callgrind, on a machine of any busyness.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.router import instructions
from benchmarks.router.load import CONNECTIONS, Result, Wrk, run
from benchmarks.router.plain import Plain
from benchmarks.router.report import Count, Ratios, instructions_table, markdown, write_section
from crossfade_operator.core.routing import Backend, RoutingTable, Slice
from tests.dataplane.rig import Model, Router, stopping

SLICE_SECONDS = 2
POSITIONS = (10, 100, 500, 950, 1, 300)


@dataclass(frozen=True)
class World:
    directory: Path
    stable: Model
    candidate: Model

    def table(self, generation: int = 1, positions: int = 100, **changes: Any) -> RoutingTable:
        """Everything on: a candidate with fallback, a holdout, all counters, all default latency bounds."""
        unit = {} if "unit_cookie" in changes else {"unit_header": "x-user-id"}
        ours, holdout = self.candidate.backend, self.stable.backend
        slices = (Slice("candidate", ours, ((0, positions - 1),)), *_holdout(holdout, positions))
        return RoutingTable(
            endpoint="benchmark/router",
            generation=generation,
            decision=f"benchmark-{generation}",
            salt="benchmark",
            stable=self.stable.backend,
            slices=slices,
            **{**unit, **changes},
        )


def _holdout(backend: Backend, positions: int) -> tuple[Slice, ...]:
    return (Slice("holdout", backend, ((980, 989),)),) if positions <= 940 else ()


VARIANTS: dict[str, dict[str, Any]] = {
    "everything on": {},
    "everything on, reward counted": {"reward_header": "x-reward"},
    "everything on, unit from a known cookie": {"unit_cookie": "uid"},
}


@contextlib.contextmanager
def _models(directory: Path) -> Iterator[World]:
    stable = Model("stable", directory / "stable", answer={"x-reward": "7"}).start()
    candidate = Model("candidate", directory / "candidate", answer={"x-reward": "7"}).start()
    with stopping(stable, candidate):
        yield World(directory, stable, candidate)


def _load(world: World, options: argparse.Namespace) -> str:
    plain_results, ratios = _compare(world, options.pairs)
    counts = [_changes(world, options.changes), _kills(world, options.kills)]
    loads = os.getloadavg()
    machine = f"{platform.machine()}, {CONNECTIONS} connections, load average {loads[1]:.0f}"
    return markdown(machine, plain_results, ratios, counts)


COUNTED: dict[str, dict[str, Any]] = {
    "everything on": {},
    "everything on, reward counted": {"reward_header": "x-reward"},
    "everything on, unit from a known cookie": {"unit_cookie": "uid"},
    "everything on, and three latency bounds met": {"latency_bounds": (*instructions.SEEN, *instructions.UNSEEN[3:])},
}


def _instructions(world: World, _: argparse.Namespace) -> str:
    counted: dict[str, float] = {}

    def count(name: str, one: instructions.Counting) -> None:
        counted[name] = instructions.per_request(one)
        _announce(f"{name}: {counted[name]:,.0f} instructions per request")

    for name, bare in (("plain Envoy", False), ("plain Envoy without an edge's settings", True)):
        count(name, Plain(world.directory, world.stable, bare=bare, start=instructions.Counted))
    for number, (name, changes) in enumerate(COUNTED.items()):
        table = world.table(**{"latency_bounds": instructions.UNSEEN, **changes})
        router = Router(world.directory / f"counted-{number}", table, start=instructions.Counted)
        count(name, router)
    return instructions_table(counted, "plain Envoy")


PARTS: dict[str, tuple[str, Callable[[World, argparse.Namespace], str]]] = {
    "load": ("Router", _load),
    "instructions": ("Router, counted in instructions", _instructions),
}


def _compare(world: World, pairs: int) -> tuple[list[Result], list[Ratios]]:
    plain = Plain(world.directory, world.stable)
    routers = {
        name: Router(world.directory / f"router-{number}", world.table(**changes))
        for number, (name, changes) in enumerate(VARIANTS.items())
    }
    seen: list[Result] = []
    found = {name: Ratios(name) for name in routers}
    with stopping(plain, *routers.values()):
        _announce("warming up")
        for envoy, port in ((plain.envoy, plain.port), *((one.envoy, one.port) for one in routers.values())):
            run(envoy, port, SLICE_SECONDS)
        for number in range(pairs):
            _announce(f"pair {number + 1} of {pairs}")
            seen.append(run(plain.envoy, plain.port, SLICE_SECONDS))
            for name, router in routers.items():
                result = run(router.envoy, router.port, SLICE_SECONDS)
                seen.append(run(plain.envoy, plain.port, SLICE_SECONDS))
                found[name].add(result, seen[-2], seen[-1])
    return seen, list(found.values())


def _changes(world: World, count: int) -> Count:
    _announce(f"{count} table changes under load")
    router = Router(world.directory / "changed", world.table())

    def change() -> Iterator[None]:
        for generation in range(2, count + 2):
            router.write(world.table(generation, POSITIONS[generation % len(POSITIONS)]))
            yield

    with stopping(router):
        return _under_load(f"{count} table changes", router, change)


def _kills(world: World, count: int) -> Count:
    _announce(f"{count} kills of the candidate under load")
    router = Router(world.directory / "killed", world.table(positions=500))

    def kill() -> Iterator[None]:
        for _ in range(count):
            time.sleep(2)
            world.candidate.kill()
            time.sleep(4)
            world.candidate.start()
            yield

    with stopping(router):
        return _under_load(f"candidate (50 %) killed {count} times", router, kill)


def _under_load(name: str, router: Router, acts: Callable[[], Iterator[None]]) -> Count:
    """Load in stretches of 5 s until every act is done."""
    results, load = [], Wrk(router.envoy, router.port, 5)
    for _ in acts():
        if not load.running:
            results.append(load.finish())
            load = Wrk(router.envoy, router.port, 5)
    results.append(load.finish())
    failed = sum(result.failed for result in results)
    return Count(name, requests=sum(result.requests for result in results), failed=failed)


def _announce(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router", description=__doc__)
    parser.add_argument("--pairs", type=int, default=25, help="slices for each variant (default 25, of 2 s)")
    parser.add_argument("--changes", type=int, default=500, help="table changes under load (default 500)")
    parser.add_argument("--kills", type=int, default=3, help="kill -9 of the candidate under load (default 3)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="replace the section Router of this file")
    parser.add_argument("name", nargs="?", choices=tuple(PARTS), help="one of them; none: both")
    options = parser.parse_args()
    for name in [options.name] if options.name else PARTS:
        title, measure = PARTS[name]
        with tempfile.TemporaryDirectory() as directory, _models(Path(directory)) as world:
            text = measure(world, options)
        print(text)
        if options.write:
            write_section(options.write, title, text)


if __name__ == "__main__":
    main()
