"""How far a finding's interval is from what it was held against, relative to control: 0.01 is 1 % higher."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crossfade_operator.cli.decisions.view import Decision, Finding

BUILT_IN_DIRECTIONS = {"error-rate": "LowerIsBetter", "latency": "LowerIsBetter"}

_MARGIN = re.compile(r"^(?P<number>[0-9.]+(?:[eE][-+]?[0-9]+)?)(?P<percent>%)?(?: (?P<scale>relative|absolute))?$")


@dataclass(frozen=True)
class Effect:
    """The candidate or treatment against control; `sign` is 1 when more is better, -1 when less is, 0 when unknown."""

    estimate: float | None
    lower: float | None
    upper: float | None
    sign: int

    @property
    def least_harm(self) -> float | None:
        """At the best end of the interval; above 0 the whole of it is on the bad side. None where it is open."""
        return self._harm(self.upper if self.sign > 0 else self.lower)

    @property
    def most_harm(self) -> float | None:
        """At the worst end of the interval; below 0 the whole of it is on the good side. None where it is open."""
        return self._harm(self.lower if self.sign > 0 else self.upper)

    def _harm(self, end: float | None) -> float | None:
        return None if end is None or not self.sign else -self.sign * end


def effect_of(decision: Decision, finding: Finding, direction: str | None) -> Effect:
    """Of a rollout the record holds ratios, of an experiment relative differences."""
    shift = 1.0 if decision.of_rollout else 0.0
    ends = (None if end is None else end - shift for end in (finding.estimate, finding.lower, finding.upper))
    estimate, lower, upper = ends
    return Effect(estimate, lower, upper, _sign(finding, direction, estimate))


def _sign(finding: Finding, direction: str | None, estimate: float | None) -> int:
    """By the metric's direction, else by what a clear verdict says of the estimate."""
    direction = BUILT_IN_DIRECTIONS.get(finding.name) or direction
    if direction:
        return 1 if direction == "HigherIsBetter" else -1
    if estimate and finding.verdict in ("Superior", "Inferior", "Harmful"):
        up = 1 if estimate > 0 else -1
        return up if finding.verdict == "Superior" else -up
    return 0


def allowed_of(finding: Finding) -> float | None:
    """The margin as a relative effect; None when there is none, or when control's value is not known to convert it."""
    found = _MARGIN.match(finding.margin or "")
    if not found:
        return None
    number = float(found["number"]) / (100 if found["percent"] else 1)
    if found["scale"] != "absolute":
        return number
    return number / abs(finding.control) if finding.control else None
