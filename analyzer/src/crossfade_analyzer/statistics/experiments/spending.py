"""Alpha-spending functions of the information fraction, section 5.1 (Lan & DeMets 1983; Kim & DeMets 1987; Hwang, Shih,
DeCani 1990). One-sided alpha; two-sided designs are two one-sided ones at alpha/2."""

from __future__ import annotations

from dataclasses import dataclass
from math import e, exp, expm1, log, sqrt
from typing import Literal, get_args

from crossfade_analyzer.statistics.scientific import normal_quantile, normal_tail

Kind = Literal["lan_demets_obf", "lan_demets_pocock", "power", "hwang_shih_decani"]


@dataclass(frozen=True, slots=True)
class Spending:
    """How much of alpha may be used up by information fraction t. `param`: the power, or gamma of Hwang-Shih-DeCani."""

    kind: Kind
    param: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown spending function {self.kind!r}: choose one of {', '.join(get_args(Kind))}")
        needs = self.kind in ("power", "hwang_shih_decani")
        if needs != (self.param is not None):
            raise ValueError(f"{self.kind} {'needs a' if needs else 'has no'} parameter")
        if self.kind == "power" and self.param is not None and self.param <= 0:
            raise ValueError(f"the power must be positive, not {self.param}")

    def spent(self, t: float, alpha: float) -> float:
        """Cumulative alpha at fraction `t`; all of it from 1 on (over-running)."""
        t = min(t, 1.0)
        if t <= 0:
            raise ValueError("information must be positive")
        if self.kind == "lan_demets_obf":
            return 2 * normal_tail(normal_quantile(1 - alpha / 2) / sqrt(t))
        if self.kind == "lan_demets_pocock":
            return alpha * log(1 + (e - 1) * t)
        parameter = self.param or 0.0
        if self.kind == "power":
            return float(alpha * t**parameter)
        if parameter == 0:
            return alpha * t
        return alpha * expm1(-parameter * t) / expm1(-parameter)


def obf_scale(t: float) -> float:
    """The exact O'Brien-Fleming shape: bounds are proportional to 1/sqrt(t)."""
    return exp(-0.5 * log(t))
