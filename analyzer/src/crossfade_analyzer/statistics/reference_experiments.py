"""Reference cases of sections 4 to 6, mapped to the code that experiments run."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from crossfade_analyzer.statistics.experiments import (
    always_valid,
    corrections,
    cuped,
    decision,
    group_sequential,
    multiplicity,
    noninferiority,
    planning,
    proportions,
    ratio,
    sample_ratio,
    stability,
    t_mixture,
    welch,
)
from crossfade_analyzer.statistics.experiments.comparison import BucketSums, Comparison, Moments
from crossfade_analyzer.statistics.experiments.proportions import Proportion
from crossfade_analyzer.statistics.experiments.spending import Spending
from crossfade_analyzer.statistics.reference_inputs import Inputs
from crossfade_analyzer.statistics.refusals import CannotJudge


def _moments(arm: Inputs) -> Moments:
    if "successes" in arm:
        return Moments.of_proportion(arm["n"], arm["successes"])
    return Moments(arm["n"], arm["sum"], arm["sum_squares"])


def _report(found: Comparison, estimate: str = "diff") -> Inputs:
    report: Inputs = {estimate: found.estimate, "se": found.se, "ci": found.ci, "p": found.p, "t": found.t}
    if found.df != inf:
        report["df"] = found.df
    return report


def _pair(i: Inputs) -> tuple[Moments, Moments]:
    return _moments(i["control"]), _moments(i["treatment"])


def _buckets(arm: Inputs) -> BucketSums:
    return BucketSums(tuple(arm["x"]), tuple(arm["y"]))


def _ratio(i: Inputs) -> Inputs:
    arms = _buckets(i["control"]), _buckets(i["treatment"])
    found = {"absolute": ratio.difference(*arms, i["alpha"]), "relative": ratio.relative(*arms, i["alpha"])}
    return {kind: _report_or_refusal(value) for kind, value in found.items()}


def _report_or_refusal(value: Comparison | CannotJudge) -> Inputs:
    if isinstance(value, CannotJudge):
        return {"cannot_judge": str(value.reason), "sentence": value.sentence}
    return _report(value, "estimate")


def _cuped(i: Inputs) -> Inputs:
    control, treatment = (cuped.PairedMoments(**i[arm]) for arm in ("control", "treatment"))
    found = cuped.adjusted(control, treatment, i["alpha"])
    return {"theta": found.theta, **_report(found.comparison, "estimate")}


def _cuped_linearised(i: Inputs) -> Any:
    control, treatment = (
        cuped.Arm(_buckets(i[arm]["post"]), _buckets(i[arm]["pre"])) for arm in ("control", "treatment")
    )
    found = cuped.linearised(control, treatment, i["alpha"])
    if isinstance(found, CannotJudge):
        return found
    return {"theta": found.theta, **_report(found.comparison, "estimate")}


def _stability(i: Inputs) -> Any:
    control, treatment = (
        stability.Halves(_buckets(i[arm]["first"]), _buckets(i[arm]["second"])) for arm in ("control", "treatment")
    )
    found = stability.stability(control, treatment, i["alpha"], lower_is_better=i.get("lower_is_better", False))
    if isinstance(found, CannotJudge):
        return found
    return {"change": _report(found.change), "late": _report(found.late), "blocks": found.blocks}


def _noninferiority(i: Inputs) -> Inputs:
    found = noninferiority.relative_margin(*_pair(i), i["nim"], i["preferred_direction"], i["alpha_one_sided"])
    return {**_report(found), "null": found.null}


def _halfwidth(i: Inputs) -> Inputs:
    values = i["se"], i["n"], i["n_star"], i["alpha"]
    return {
        "two_sided": always_valid.halfwidth(*values),
        "one_sided": always_valid.halfwidth_one_sided(*values),
        "rho": always_valid.tuning(i["alpha"], i["n_star"]),
    }


def _relative_sequence(i: Inputs) -> Any:
    found = always_valid.relative(*_pair(i), i["n_star"], i["alpha"])
    return found if isinstance(found, CannotJudge) else _report(found, "expected")


def _t_mixture(i: Inputs) -> Inputs:
    return {
        "log_e": t_mixture.log_e(i["t"], i["nu"], i["g"], i["n"]),
        "t_radius": t_mixture.radius(i["g"], i["n"], i["coefficients"], i["alpha"]),
    }


def _bounds(i: Inputs) -> Inputs:
    alpha, information = i["alpha_one_sided"], i["information"]
    return {"z": _solved(i, alpha, information)}


def _solved(i: Inputs, alpha: float, information: list[float]) -> list[float | None]:
    if i["spending"] not in group_sequential.EXACT:
        return group_sequential.bounds(Spending(i["spending"], i.get("param")), alpha, information)
    if i.get("param") is not None:
        raise ValueError(f"{i['spending']} has no parameter, and inputs.param is {i['param']}: leave it out")
    return group_sequential.exact(i["spending"], alpha, information)


def _inflation(i: Inputs) -> Inputs:
    alpha, information = i["alpha_one_sided"], i["information"]
    return {"inflation": group_sequential.inflation_of(_solved(i, alpha, information), alpha, i["beta"], information)}


def _corrections(i: Inputs) -> Inputs:
    found = corrections.corrections(
        i["success"], i["guardrail"], i["deterioration_only"], i["quality"], i["alpha"], i["alpha_minus"], i["beta"]
    )
    return {name: getattr(found, name) for name in corrections.Levels.__slots__}


def _rule2(i: Inputs) -> Inputs:
    found = decision.rule2(
        i["success_superior"],
        i["guardrail_noninferior"],
        any_deterioration=i["any_deterioration"],
        any_quality_rejected=i["any_quality_rejected"],
    )
    return {"ship": found.ship, "reason": str(found.reason)}


def _multiplicity(i: Inputs) -> Inputs:
    adjusted = {
        "bonferroni": multiplicity.bonferroni(i["p"]),
        "holm": multiplicity.holm(i["p"]),
        "bh": multiplicity.benjamini_hochberg(i["p"]),
    }
    return {name: {"adjusted": p, "reject": [v <= i["alpha"] for v in p]} for name, p in adjusted.items()}


def _spotify(i: Inputs) -> Inputs:
    if i.get("correction", "spot-1") != "spot-1":
        raise ValueError(f"the correction {i['correction']!r} is not offered: use spot-1")
    total = planning.weighted_total(
        i["avg"],
        i["var"],
        i["mde_relative"],
        i["weights"],
        1 - i["interval_size"],
        i["power"],
        binary=i["binary"],
        success_metrics=i["success_metrics"],
    )
    return {"n_total": total}


def _proportions(i: Inputs) -> Inputs:
    return _report(proportions.unpooled(Proportion(**i["control"]), Proportion(**i["treatment"]), i["alpha"]))


METHODS: dict[str, Callable[[Inputs], Any]] = {
    "welch": lambda i: _report(welch.welch(*_pair(i), i["alpha"])),
    "ztest.proportions_unpooled": _proportions,
    "ratio.delta_buckets": _ratio,
    "cuped": _cuped,
    "cuped.linearised": _cuped_linearised,
    "stability": _stability,
    "noninferiority.relative_margin": _noninferiority,
    "asymp_cs.halfwidth": _halfwidth,
    "asymp_cs.relative_ci": _relative_sequence,
    "asymp_cs.absolute_ci": lambda i: _report(always_valid.absolute(*_pair(i), i["n_star"], i["alpha"])),
    "t_mixture": _t_mixture,
    "group_sequential.bounds": _bounds,
    "group_sequential.inflation": _inflation,
    "decision.corrections": _corrections,
    "decision.rule2": _rule2,
    "multiplicity": _multiplicity,
    "srm.chi2": lambda i: sample_ratio.chi2_p(i["observed"], i["weights"]),
    "samplesize.mean": lambda i: {
        "n_total": planning.mean_total(
            i["delta"], i["sd"], i["theta0"], i["alpha_one_sided"], i["beta"], i.get("ratio", 1.0)
        )
    },
    "samplesize.proportion_unpooled": lambda i: {
        "n_per_arm": planning.proportion_per_arm(i["p_control"], i["p_treatment"], i["alpha_two_sided"], i["power"])
    },
    "samplesize.mde": lambda i: {"mde": planning.mde(i["sd"], i["n_per_arm"], i["alpha_two_sided"], i["power"])},
    "samplesize.spotify": _spotify,
}
