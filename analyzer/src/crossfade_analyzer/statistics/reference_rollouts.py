"""Reference cases of section 3, mapped to the code that rollouts run."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf
from typing import Any

from crossfade_analyzer.statistics import (
    approximate,
    averaging,
    beta_binomial,
    counters,
    grid,
    histogram,
    limit,
    mann_whitney,
    native_histogram,
    normal_mixture,
    quantile_bands,
    score,
    split,
)
from crossfade_analyzer.statistics.arithmetic import exact, threshold
from crossfade_analyzer.statistics.dispersion import dispersions
from crossfade_analyzer.statistics.distributions import normal_score
from crossfade_analyzer.statistics.fixed_point import to_float
from crossfade_analyzer.statistics.harm import CountHarm, StartMixture
from crossfade_analyzer.statistics.look import Counts, PerArm
from crossfade_analyzer.statistics.ratio_interval import ratio_interval
from crossfade_analyzer.statistics.reference_inputs import Inputs, looks
from crossfade_analyzer.statistics.refusals import CannotJudge
from crossfade_analyzer.statistics.strata import Strata, as_counted, values, weighted


def _decimals(values: list[Any]) -> list[Decimal]:
    return [exact(value) for value in values]


def _strata(inputs: Inputs, key: str = "x", rho0: float = 1.0) -> Strata:
    seen = looks(inputs, key, arms=2)
    strata = Strata(len(seen[0]["n"][0]))
    for look in seen:
        added = weighted(values(look[key], look["n"]), rho0)
        if added is not None:
            strata.add(added)
    return strata


def _alternatives(inputs: Inputs) -> grid.Grid:
    weights = inputs.get("weights") or inputs.get("theta_weights") or "uniform"
    given = None if isinstance(weights, str) else _decimals(weights)
    return grid.grid(_decimals(inputs["theta"]), exact(inputs.get("rho0", 1)), given)


def _grid_binomial(inputs: Inputs) -> Inputs:
    alternatives = _alternatives(inputs)
    sums, phi = alternatives.nothing, float(inputs.get("phi", 1.0))
    for look in inputs["intervals"]:
        x, n = (look["x_control"], look["x_canary"]), (look["n_control"], look["n_canary"])
        if any(int(size) != size or events > size for events, size in zip(x, n, strict=True)):
            raise ValueError(f"a look has whole requests and no more events than those, not {look}")
        sums = grid.add(sums, grid.increments(alternatives, x, n) or alternatives.nothing)
    log_e = grid.log_e(alternatives, sums, phi)
    settled = approximate.settled(grid.approximate_log_es(alternatives, [sums], [phi])[0], lambda: log_e)
    return {"log_e": float(log_e), "ll": [to_float(ll) for ll in sums], "log_e_decimal_9": str(settled)}


def _one_sample(inputs: Inputs) -> Inputs:
    alternatives = grid.one_sample(_alternatives(inputs), exact(inputs["p0"]))
    if inputs["x"] > inputs["n"]:
        raise ValueError(f"inputs.x is at most inputs.n, {inputs['n']}, not {inputs['x']}")
    sums = alternatives.sums(inputs["x"], inputs["n"])
    log_e = grid.log_e(alternatives, sums, float(inputs.get("phi", 1.0)))
    return {"log_e": float(log_e), "ll": [to_float(ll) for ll in sums]}


def _phi(inputs: Inputs) -> Inputs:
    found = dispersions(_strata(inputs, rho0=inputs.get("rho0", 1.0)))[0]
    return {"phi_both": found.both, "phi_control": found.control, "phi": found.phi}


def _per_arm(rows: list[list[int]]) -> PerArm:
    return tuple(rows[0]), tuple(rows[1])


def _trace(inputs: Inputs) -> Inputs:
    alternatives = _alternatives(inputs)
    mixture: StartMixture | None = None
    logs: list[Decimal] = []
    for index, look in enumerate(looks(inputs, "x", arms=1)):
        counts = Counts(_per_arm(look["x"]), _per_arm(look["n"]))
        mixture = mixture or StartMixture(CountHarm(alternatives, counts.buckets))
        if index in inputs["starts"]:
            weights = inputs.get("start_weights")
            mixture.begin(index, exact(weights[inputs["starts"].index(index)]) if weights else None)
        mixture.add(as_counted(counts))
        logs.append(approximate.settled(mixture.approximate(), mixture.exact))
    enough = threshold(exact(inputs["alpha"]))
    found = next((index for index, log in enumerate(logs) if log >= enough), None)
    return {"log_e": [float(log) for log in logs], "rollback_at_look": found}


def _average(inputs: Inputs) -> float:
    weights = inputs.get("weights")
    return float(averaging.average(_decimals(inputs["log_e"]), _decimals(weights) if weights else None))


def _score(inputs: Inputs) -> Inputs:
    value = score.difference(_strata(inputs, "y"))
    z_star = normal_score(Decimal(value.z), value.buckets - 1)
    return {
        "U": value.u,
        "D": value.d,
        "estimate": value.estimate,
        "V": value.v,
        "Z": value.z,
        "z_star": float(z_star),
        "log_e": float(score.log_e(value, exact(inputs["rho"]))),
    }


def _difference_shifted(inputs: Inputs) -> Inputs:
    """The gate of an absolute tolerance (3.5): evidence that the rate difference is above `delta`."""
    value = score.difference(_strata(inputs, "x"), shift=float(inputs["delta"]))
    return {"U": value.u, "V": value.v, "log_e": float(score.log_e(value, exact(inputs["rho"])))}


def _ratio_cs(inputs: Inputs) -> Inputs:
    found = ratio_interval(_strata(inputs), float(inputs["alpha"]), float(inputs.get("info_opt", 157.6)))
    if found is None:
        raise ValueError("both arms need events, and something must vary between buckets")
    return {"ratio": found.ratio, "se_log": found.se_log, "lower": found.lower, "upper": found.upper}


def _rho(inputs: Inputs) -> Decimal:
    return normal_mixture.rho(exact(inputs["v_opt"]), exact(inputs["alpha_opt"]), one_sided=inputs["one_sided"])


def _mixture_log_e(inputs: Inputs) -> float:
    s, v = exact(inputs["s"]), exact(inputs["v"])
    return float(normal_mixture.log_e_of_score(s, v, _rho(inputs), one_sided=inputs["one_sided"]))


def _mixture_bound(inputs: Inputs) -> float:
    v, alpha = exact(inputs["v"]), exact(inputs["alpha"])
    return float(normal_mixture.bound(v, alpha, _rho(inputs), one_sided=inputs["one_sided"]))


def _beta_binomial(inputs: Inputs) -> float:
    i = inputs
    return beta_binomial.log_e(
        i["s"], i["v"], i["v_opt"], i["g"], i["h"], i.get("alpha_opt", 0.05), one_sided=i["one_sided"]
    )


def _binomial_cs(inputs: Inputs) -> list[float]:
    return list(
        beta_binomial.confidence_sequence(inputs["successes"], inputs["trials"], inputs["alpha"], inputs["t_opt"])
    )


def _independent_split(inputs: Inputs) -> Inputs:
    found = split.independent(
        inputs["observed"], _decimals(inputs["probabilities"]), exact(inputs.get("concentration", 100))
    )
    return {"log_e": float(found.log_e), "p": float(found.p)}


def _sticky_split(inputs: Inputs) -> Inputs:
    seen = looks(inputs, "n", arms=1)
    check = split.StickySplit(len(seen[0]["n"][0]))
    for look in seen:
        check.add(_per_arm(look["n"]), exact(look["weight"]))
    value = check.score()
    log_e = check.log_e(exact(inputs["rho"]))
    return {"U": value.u, "V": value.v, "D": value.d, "Z": value.z, "log_e": float(log_e), "share": check.observed}


def _quantile(inputs: Inputs) -> Any:
    bounds = [inf if bound == "+Inf" else float(bound) for bound in inputs["le"]]
    return histogram.quantile(bounds, inputs["cumulative"], inputs["q"])


def _native(inputs: Inputs) -> Any:
    counts = {int(index): count for index, count in inputs["buckets"].items()}
    seen = native_histogram.NativeHistogram(inputs["schema"], counts, inputs.get("zero", 0))
    above = native_histogram.slower(seen, inputs["plan_schema"], inputs["index"])
    bound = native_histogram.upper_bound(inputs["plan_schema"], inputs["index"])
    return above if isinstance(above, CannotJudge) else {"slower": above, "count": seen.count, "bound": bound}


def _limit(inputs: Inputs) -> Inputs:
    found = limit.requests(inputs["p0"], inputs["ratio"], inputs["alpha"], inputs["canary_share"])
    return {
        "oracle_canary": found.oracle,
        "two_sample_canary": found.two_sample,
        "two_sample_total": found.two_sample_total,
    }


def _mann_whitney(inputs: Inputs) -> Inputs:
    lower, upper, estimate = mann_whitney.interval(inputs["experiment"], inputs["control"], inputs["conf"])
    return {"ci": [lower, upper], "estimate": estimate}


METHODS: dict[str, Callable[[Inputs], Any]] = {
    "counter.delta": lambda i: {"delta": counters.delta(i["samples"])},
    "evalue.grid_binomial": _grid_binomial,
    "evalue.grid_one_sample": _one_sample,
    "phi.cluster": _phi,
    "rollout.trace": _trace,
    "evalue.average": _average,
    "score.mean": _score,
    "score.absolute_tolerance": _difference_shifted,
    "report.ratio_cs": _ratio_cs,
    "normal_mixture.log_e": _mixture_log_e,
    "normal_mixture.bound": _mixture_bound,
    "normal_mixture.rho": lambda i: float(_rho(i)),
    "beta_binomial.log_e": _beta_binomial,
    "binomial_cs": _binomial_cs,
    "quantile_cs.double_stitching": lambda i: quantile_bands.double_stitching(i["p"], i["t"], i["alpha"], i["t_opt"]),
    "dkw.lil_bound": lambda i: quantile_bands.lil_bound(i["t"], i["alpha"], i["t_min"], i.get("A", 0.85)),
    "dkw.closed_form": lambda i: quantile_bands.closed_form(i["n"], i["alpha"]),
    "srm.sequential": _independent_split,
    "srm.sticky": _sticky_split,
    "histogram.quantile": _quantile,
    "histogram.native_exceedance": _native,
    "limit.requests": _limit,
    "benchmark.mann_whitney": _mann_whitney,
}
