"""Our method without what was added for uneven users: the e-process of counts as they are, with start times.

python -m benchmarks.detection --decider benchmarks.detection.variants:plain
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from benchmarks.detection.incumbents import Decide, tested
from benchmarks.detection.scenarios import Scenario
from crossfade_analyzer.statistics import grid, starts
from crossfade_analyzer.statistics.approximate import settled
from crossfade_analyzer.statistics.arithmetic import exact, threshold
from crossfade_analyzer.statistics.harm import CountHarm, StartMixture
from crossfade_analyzer.statistics.strata import values

GRID = grid.grid(grid.COUNT_GRID)


def plain(scenario: Scenario) -> dict[str, Decide]:
    """Neither bursts capped nor a warm-up used; errors only."""
    return {"as counted": _decide}


@tested
def _decide(look: Any, state: dict[str, Any]) -> str:
    if "mixture" not in state:
        state["mixture"] = StartMixture(CountHarm(GRID, look.req.shape[1]))
        state["schedule"] = starts.schedule(exact(look.plan["horizon_minutes"]))
    if state["schedule"].due(int(look.step), Decimal(int(look.minute))):
        state["mixture"].begin(int(look.k))
    state["mixture"].add(values(look.err, look.req))
    enough = threshold(exact(look.plan["alpha"]))
    return "rollback" if settled(state["mixture"].approximate(), state["mixture"].exact) >= enough else "continue"
