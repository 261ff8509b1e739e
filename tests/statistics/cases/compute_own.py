"""Writes own_cases.json: expected values by a second path (exact fractions, then scipy), not by our code.

python tests/statistics/cases/compute_own.py
"""

from __future__ import annotations

import json
import random
from fractions import Fraction
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

RNG = random.Random(20_26)


def looks(buckets: int, weights: tuple[str, ...]) -> list[dict[str, Any]]:
    made = []
    for weight in weights:
        share = float(weight)
        n = [[RNG.randint(200, 900) for _ in range(buckets)] for _ in range(2)]
        n[1] = [max(round(total * share / (1 - share) * RNG.uniform(0.7, 1.4)), 3) for total in n[0]]
        x = [[sum(RNG.random() < 0.02 * (1 + arm) for _ in range(total)) for total in row] for arm, row in enumerate(n)]
        made.append({"x": x, "n": n, "weight": weight})
    return made


def sticky(rho: int) -> dict[str, Any]:
    seen = looks(8, ("0.05", "0.25", "0.5"))
    u = [Fraction(0)] * 8
    d = Fraction(0)
    for look in seen:
        w = Fraction(look["weight"])
        for b in range(8):
            u[b] += (1 - w) * look["n"][1][b] - w * look["n"][0][b]
        d += w * (1 - w) * (sum(look["n"][0]) + sum(look["n"][1]))
    total = sum(u)
    v = Fraction(8, 7) * sum((value - total / 8) ** 2 for value in u)
    z = float(total) / sqrt(v)
    z_star = float(stats.norm.isf(stats.t(7).sf(abs(z))))
    log_e = 0.5 * log(rho / (float(d) + rho)) + z_star**2 * float(d) / (2 * (float(d) + rho))
    expected = {"U": float(total), "V": float(v), "D": float(d), "Z": z, "log_e": log_e}
    return case("sticky-1", "srm.sticky", {"looks": seen, "rho": rho}, expected, "spec 3.10, (14) two-sided")


def tolerance(delta: str, rho: int) -> dict[str, Any]:
    seen = looks(8, ("0.1", "0.3"))
    a, c, d, f = ([Fraction(0)] * 8 for _ in range(4))
    for look in seen:
        pi = Fraction(sum(look["n"][1]), sum(look["n"][0]) + sum(look["n"][1]))
        for b in range(8):
            a[b] += (1 - pi) * look["x"][1][b]
            c[b] += (1 - pi) * look["n"][1][b]
            d[b] += pi * look["x"][0][b]
            f[b] += pi * look["n"][0][b]
    u = sum(a) - sum(d) - Fraction(delta) * sum(c)
    e = [
        a[b] - c[b] * (sum(a) - a[b]) / (sum(c) - c[b]) - d[b] + f[b] * (sum(d) - d[b]) / (sum(f) - f[b])
        for b in range(8)
    ]
    v = Fraction(7, 8) * sum(value * value for value in e)
    z = float(u) / sqrt(v)
    z_star = float(stats.norm.isf(stats.t(7).sf(z)))
    share = float(sum(c)) / (float(sum(c)) + rho)
    log_e = 0.5 * log(4 * (1 - share)) + z_star**2 * share / 2 + float(stats.norm.logcdf(z_star * sqrt(share)))
    return case(
        "tolerance-1",
        "score.absolute_tolerance",
        {"looks": seen, "delta": delta, "rho": rho},
        {"U": float(u), "V": float(v), "log_e": log_e},
        "spec 3.5 and 3.7: score of the rate difference less delta",
    )


def average() -> dict[str, Any]:
    logs = [-1.25, 0.5, 6.75]
    expected = log(sum(exp(value) for value in logs) / 3)
    return case("average-1", "evalue.average", {"log_e": logs}, {"value": expected}, "spec (10)")


def bucket_sums(seed: int, level: np.ndarray[Any, Any], effect: float) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    x = rng.integers(50, 90, len(level)).astype(float)
    y = np.round(x * (level + effect + rng.normal(0, 0.2, len(level))), 3)
    return {"x": x.tolist(), "y": y.tolist()}


def linearised() -> dict[str, Any]:
    arms = {}
    for i, name in enumerate(("control", "treatment")):
        level = np.random.default_rng(50 + i).normal(5, 1, 30)
        arms[name] = {"pre": bucket_sums(60 + i, level, 0.0), "post": bucket_sums(70 + i, level, 0.3 * i)}
    ratios = {
        period: np.sum(arms["control"][period]["y"]) / np.sum(arms["control"][period]["x"])
        for period in ("pre", "post")
    }
    lin = {
        (name, period): (np.array(sums["y"]) - ratios[period] * np.array(sums["x"])) / np.mean(sums["x"])
        for name, arm in arms.items()
        for period, sums in arm.items()
    }
    post = np.concatenate([lin["control", "post"], lin["treatment", "post"]])
    pre = np.concatenate([lin["control", "pre"], lin["treatment", "pre"]])
    theta = np.cov(post, pre)[0, 1] / np.var(pre, ddof=1)
    adjusted = {name: lin[name, "post"] - theta * lin[name, "pre"] for name in arms}
    test = stats.ttest_ind(adjusted["treatment"], adjusted["control"], equal_var=False)
    estimate = float(adjusted["treatment"].mean() - adjusted["control"].mean())
    expected = {"theta": float(theta), "estimate": estimate, "p": float(test.pvalue), "df": float(test.df)}
    source = "spec section 4, CUPED on linearised ratios; numpy and scipy.stats.ttest_ind"
    return case("cuped-linearised-1", "cuped.linearised", {**arms, "alpha": 0.05}, expected, source)


def stable() -> dict[str, Any]:
    arms: dict[str, dict[str, dict[str, list[float]]]] = {}
    for i, name in enumerate(("control", "treatment")):
        level = np.random.default_rng(80 + i).normal(5, 1, 24)
        arms[name] = {"first": bucket_sums(90 + i, level, 0.4 * i), "second": bucket_sums(95 + i, level, 0.1 * i)}
    changes, variances = [], []
    for arm in arms.values():
        values = {half: np.sum(s["y"]) / np.sum(s["x"]) for half, s in arm.items()}
        influence = {
            half: (np.array(s["y"]) - values[half] * np.array(s["x"])) / np.mean(s["x"]) for half, s in arm.items()
        }
        changes.append(values["second"] - values["first"])
        variances.append(np.var(influence["second"] - influence["first"], ddof=1) / 24)
    estimate, se = float(changes[1] - changes[0]), float(np.sqrt(sum(variances)))
    p = 2 * float(stats.t(46).sf(abs(estimate) / se))
    source = "spec 6.9, paired over buckets; numpy and scipy"
    return case(
        "stability-1", "stability", {**arms, "alpha": 0.01}, {"change": {"diff": estimate, "se": se, "p": p}}, source
    )


def case(name: str, method: str, inputs: Any, expected: Any, source: str, tolerance: float = 1e-8) -> dict[str, Any]:
    return {
        "id": name,
        "method": method,
        "inputs": inputs,
        "expected": expected,
        "tolerance": {"rel": tolerance},
        "source": source,
    }


PUBLISHED = [
    case(
        "bb-2s",
        "beta_binomial.log_e",
        {"s": 10, "v": 100, "v_opt": 100, "g": 0.2, "h": 0.8, "alpha_opt": 0.05, "one_sided": False},
        {"value": -0.6941012},
        "confseq test/uniform_boundaries_unittest.cpp (published)",
        1e-6,
    ),
    case(
        "q-ds-low",
        "quantile_cs.double_stitching",
        {"p": 0.1, "t": 1000, "alpha": 0.05, "t_opt": 100},
        {"value": 59.96521},
        "confseq test/uniform_boundaries_unittest.cpp (published)",
        1e-6,
    ),
]

if __name__ == "__main__":
    made = [sticky(500), tolerance("0.002", 300), average(), linearised(), stable(), *PUBLISHED]
    Path(__file__).with_name("own_cases.json").write_text(json.dumps({"cases": made}, indent=1) + "\n")
