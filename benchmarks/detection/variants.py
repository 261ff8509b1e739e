"""Our method without what was added for uneven users: the e-process of counts as they are, with start times.

python -m benchmarks.detection --decider benchmarks.detection.variants:plain
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from benchmarks.detection.incumbents import Decide, tested
from benchmarks.detection.scenarios import Scenario
from crossfade_analyzer.statistics import grid, starts
from crossfade_analyzer.statistics.arithmetic import exact, quantised, threshold
from crossfade_analyzer.statistics.harm import CountHarm, StartMixture
from crossfade_analyzer.statistics.look import Counts

GRID = grid.grid(grid.COUNT_GRID)


def plain(scenario: Scenario) -> dict[str, Decide]:
    """Neither bursts capped nor a warm-up used; errors only."""
    return {"as counted": _decide}


@tested
def _decide(look: Any, state: dict[str, Any]) -> str:
    if "mixture" not in state:
        state["mixture"] = StartMixture()
        state["schedule"] = starts.schedule(exact(look.plan["horizon_minutes"]))
    x, n = (tuple(tuple(map(int, row)) for row in rows.tolist()) for rows in (look.err, look.req))
    counts = Counts((x[0], x[1]), (n[0], n[1]))
    if state["schedule"].due(int(look.step), Decimal(int(look.minute))):
        state["mixture"].begin(CountHarm(GRID, counts.buckets), int(look.k))
    state["mixture"].add(counts)
    enough = threshold(exact(look.plan["alpha"]))
    return "rollback" if quantised(state["mixture"].log_e()) >= enough else "continue"
