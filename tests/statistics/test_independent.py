"""Inputs that no case file has, against scipy, numerical integration or brute force: `reference.evaluate` at random."""

from __future__ import annotations

import random
from fractions import Fraction
from math import exp, inf, log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats  # type: ignore[import-untyped]

from crossfade_analyzer.statistics.reference import evaluate

SEEDS = range(4)
close = pytest.approx


def sample(rng: np.random.Generator, n: int) -> tuple[dict[str, Any], np.ndarray]:
    values = rng.gamma(2.0, 3.0, n) + rng.normal(0, 0.1, n)
    return {"n": n, "sum": float(values.sum()), "sum_squares": float((values**2).sum())}, values


def looks(rng: random.Random, buckets: int, n: int, *, empty_arm: int | None = None) -> list[dict[str, Any]]:
    made = []
    for k in range(n):
        size = [[rng.randint(0, 80 if arm else 300) for _ in range(buckets)] for arm in (0, 1)]
        if empty_arm is not None and k % 2:
            size[empty_arm] = [0] * buckets
        x = [[rng.randint(0, min(total, 9)) for total in row] for row in size]
        made.append({"x": x, "n": size, "y": x})
    return made


def exact_strata(seen: list[dict[str, Any]], rho0: Fraction = Fraction(1)) -> list[list[Fraction]]:
    buckets = len(seen[0]["x"][0])
    rows = [[Fraction(0)] * buckets for _ in range(4)]
    for look in seen:
        (x0, x1), (n0, n1) = look["x"], look["n"]
        if not sum(n0) or not sum(n1):
            continue
        pi = rho0 * sum(n1) / (rho0 * sum(n1) + sum(n0))
        for b in range(buckets):
            for row, value in zip(rows, ((1 - pi) * x1[b], (1 - pi) * n1[b], pi * x0[b], pi * n0[b]), strict=True):
                row[b] += value
    return rows


def left_out(y: list[Fraction], x: list[Fraction]) -> list[Fraction]:
    return [a - b * (sum(y) - a) / (sum(x) - b) if sum(x) - b else a for a, b in zip(y, x, strict=True)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("rho0", "empty"), [(1.0, None), (1.25, None), (0.9, 1), (1.0, 0)])
def test_dispersion_by_exact_fractions(seed: int, rho0: float, empty: int | None) -> None:
    seen = looks(random.Random(seed), 4 + 9 * seed, 4, empty_arm=empty)
    a, c, d, f = exact_strata(seen, Fraction(rho0))
    e_t, e_c = left_out(a, c), left_out(d, f)
    used = [look for look in seen if sum(look["n"][0]) and sum(look["n"][1])]
    v_t = v_c = x = n = Fraction(0)
    for look in used:
        n0, n1 = (sum(row) for row in look["n"])
        pi = Fraction(rho0) * n1 / (Fraction(rho0) * n1 + n0)
        v_t += (1 - pi) ** 2 * sum(look["x"][1])
        v_c += pi**2 * sum(look["x"][0])
        x, n = x + sum(map(sum, look["x"])), n + n0 + n1
    shrink = Fraction(len(a) - 1, len(a))
    both = shrink * sum((t - u) ** 2 for t, u in zip(e_t, e_c, strict=True)) / (v_t + v_c)
    control = shrink * sum(u * u for u in e_c) / v_c
    found = evaluate("phi.cluster", {"looks": seen, "rho0": rho0})
    assert found["phi_both"] == close(float(both), rel=1e-9)
    assert found["phi_control"] == close(float(control), rel=1e-9)
    assert found["phi"] == close(max(float(both), float(control), float(1 - x / n)), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_grid_evidence_by_plain_floats(seed: int) -> None:
    rng = random.Random(seed)
    theta, rho0, phi = rng.choice([[1.1, 2, 9], [0.4, 0.7], [3.0]]), rng.choice([1.0, 1.3]), rng.choice([1.0, 2.7])
    intervals = [
        {"n_canary": rng.randint(0, 200), "n_control": rng.randint(0, 900), "x_canary": 0, "x_control": 0}
        for _ in range(12)
    ]
    for one in intervals:
        one["x_canary"], one["x_control"] = rng.randint(0, one["n_canary"]), rng.randint(0, one["n_control"])
    expected = []
    for t in theta:
        ll = 0.0
        for one in intervals:
            if one["n_canary"] and one["n_control"]:
                pi = rho0 * one["n_canary"] / (rho0 * one["n_canary"] + one["n_control"])
                q = t * rho0 * one["n_canary"] / (t * rho0 * one["n_canary"] + one["n_control"])
                ll += one["x_canary"] * log(q / pi) + one["x_control"] * log((1 - q) / (1 - pi))
        expected.append(ll)
    found = evaluate("evalue.grid_binomial", {"intervals": intervals, "theta": theta, "rho0": rho0, "phi": phi})
    assert found["ll"] == close(expected, rel=1e-9, abs=1e-9)
    top = max(expected) / phi
    mixed = top + log(sum(exp(ll / phi - top) for ll in expected) / len(theta))
    assert found["log_e"] == close(mixed, rel=1e-9, abs=1e-9)
    assert float(found["log_e_decimal_9"]) == close(found["log_e"], abs=6e-10)


def test_weights_of_alternatives_and_of_starts_can_be_given() -> None:
    one = {"n_canary": 100, "n_control": 900, "x_canary": 9, "x_control": 20}
    inputs = {"intervals": [one], "theta": [1.5, 3.0]}
    even, uneven = (evaluate("evalue.grid_binomial", {**inputs, "weights": w}) for w in ("uniform", [0.9, 0.1]))
    assert uneven["ll"] == even["ll"]
    assert uneven["log_e"] == close(log(0.9 * exp(even["ll"][0]) + 0.1 * exp(even["ll"][1])), rel=1e-12)
    seen = [{"x": [[2] * 6, [4] * 6], "n": [[50] * 6, [50] * 6]} for _ in range(4)]
    base = {"looks": seen, "alpha": 0.01, "theta": [2.0], "starts": [0, 2]}
    alone = evaluate("rollout.trace", {**base, "start_weights": [1.0, 0.0], "starts": [0]})
    assert alone["log_e"] != close(evaluate("rollout.trace", base)["log_e"])


@pytest.mark.parametrize("seed", SEEDS)
def test_one_sample_evidence_by_plain_floats(seed: int) -> None:
    rng = random.Random(seed)
    n, p0, phi = rng.randint(50, 5000), rng.choice([0.01, 0.2, 0.45]), rng.choice([1.0, 3.0])
    x, theta = rng.randint(0, n // 2), [1.1, 2.0, 6.0]
    terms = [
        (x * log(t) + (n - x) * log((1 - t * p0) / (1 - p0))) / phi for t in theta if t * p0 < 1
    ]  # impossible alternatives keep their share
    top = max(terms)
    expected = top + log(sum(exp(term - top) for term in terms) / len(theta))
    found = evaluate("evalue.grid_one_sample", {"x": x, "n": n, "p0": p0, "theta": theta, "phi": phi})
    assert found["log_e"] == close(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_means_by_exact_fractions_and_scipy(seed: int) -> None:
    seen, rho = looks(random.Random(10 + seed), 12 + seed, 3), 200
    a, c, d, f = exact_strata(seen)
    residuals = [t - u for t, u in zip(left_out(a, c), left_out(d, f), strict=True)]
    buckets = len(a)
    u, v, info = sum(a) - sum(d), Fraction(buckets - 1, buckets) * sum(e * e for e in residuals), sum(c)
    z = float(u) / sqrt(v)
    z_star = float(np.sign(z)) * float(stats.norm.isf(stats.t(buckets - 1).sf(abs(z))))
    share = float(info) / (float(info) + rho)
    expected = (
        0.5 * log(4 * rho / (float(info) + rho)) + z_star**2 * share / 2 + stats.norm.logcdf(z_star * sqrt(share))
    )
    found = evaluate("score.mean", {"looks": seen, "rho": rho})
    assert (found["U"], found["V"], found["D"]) == close((float(u), float(v), float(info)), rel=1e-9)
    assert found["log_e"] == close(expected, rel=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
def test_independent_samples_by_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (control, a), (treatment, b) = sample(rng, 30 + 40 * seed), sample(rng, 200 - 30 * seed)
    alpha = (0.05, 0.01, 0.1, 0.2)[seed]
    found = evaluate("welch", {"control": control, "treatment": treatment, "alpha": alpha})
    truth = stats.ttest_ind(b, a, equal_var=False)
    interval = truth.confidence_interval(1 - alpha)
    assert (found["t"], found["p"], found["df"]) == close((truth.statistic, truth.pvalue, truth.df), rel=1e-7)
    assert found["ci"] == close([interval.low, interval.high], rel=1e-7)
    se = sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)
    for preferred in ("increase", "decrease"):
        margin = {"nim": 0.07, "preferred_direction": preferred, "alpha_one_sided": alpha}
        found = evaluate("noninferiority.relative_margin", {"control": control, "treatment": treatment, **margin})
        null = (-0.07 if preferred == "increase" else 0.07) * a.mean()
        z = (b.mean() - a.mean() - null) / se
        assert found["p"] == close(float(stats.norm.sf(z if preferred == "increase" else -z)), rel=1e-7)
    n, n_star = a.size + b.size, 700
    rho2 = (-2 * log(alpha) + log(1 - 2 * log(alpha))) / n_star
    half = se * sqrt(2 * (n * rho2 + 1) / (n * rho2) * log(sqrt(n * rho2 + 1) / alpha))
    found = evaluate(
        "asymp_cs.absolute_ci", {"control": control, "treatment": treatment, "n_star": n_star, "alpha": alpha}
    )
    assert found["ci"] == close([b.mean() - a.mean() - half, b.mean() - a.mean() + half], rel=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_ratios_of_buckets_by_the_jackknife_and_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = {}
    for arm, buckets in (("control", 40), ("treatment", 25 + 10 * seed)):
        x = rng.integers(50, 90, buckets).astype(float)
        arms[arm] = {"x": x.tolist(), "y": (x * 0.4 + rng.normal(0, 4, buckets)).tolist()}
    values, variances, dfs = [], [], []
    for arm in arms.values():
        x, y = np.array(arm["x"]), np.array(arm["y"])
        r, cov = y.sum() / x.sum(), np.cov(y, x)
        variances.append((cov[0, 0] - 2 * r * cov[0, 1] + r * r * cov[1, 1]) / x.mean() ** 2 / x.size)
        jackknife = np.array([(y.sum() - b) / (x.sum() - a) for a, b in zip(x, y, strict=True)])
        assert variances[-1] == close((x.size - 1) / x.size * ((jackknife - jackknife.mean()) ** 2).sum(), rel=0.02)
        values.append(r)
        dfs.append(x.size - 1)
    df = sum(variances) ** 2 / sum(v * v / k for v, k in zip(variances, dfs, strict=True))
    half = stats.t(df).isf(0.025) * sqrt(sum(variances))
    found = evaluate("ratio.delta_buckets", {**arms, "alpha": 0.05})["absolute"]
    assert found["df"] == close(df, rel=1e-9)
    assert found["ci"] == close([values[1] - values[0] - half, values[1] - values[0] + half], rel=1e-7)


@pytest.mark.parametrize(
    ("kind", "param", "alpha", "information"),
    [
        ("lan_demets_obf", None, 0.05, [0.4, 0.7, 1.0]),
        ("lan_demets_pocock", None, 0.025, [0.15, 1.0]),
        ("power", 3.0, 0.01, [0.5, 1.0]),
        ("hwang_shih_decani", 1.5, 0.025, [0.3, 0.6, 1.0]),
    ],
)
def test_bounds_spend_what_they_may_by_multivariate_normal(
    kind: str, param: float | None, alpha: float, information: list[float]
) -> None:
    spending = {"spending": kind, "param": param, "alpha_one_sided": alpha, "information": information}
    z = evaluate("group_sequential.bounds", spending)["z"]
    spent = {
        "lan_demets_obf": lambda t: 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / sqrt(t)),
        "lan_demets_pocock": lambda t: alpha * log(1 + (np.e - 1) * t),
        "power": lambda t: alpha * t**3,
        "hwang_shih_decani": lambda t: alpha * (1 - exp(-1.5 * t)) / (1 - exp(-1.5)),
    }[kind]
    for k in range(1, len(information) + 1):
        t = np.array(information[:k])
        corr = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
        inside = stats.multivariate_normal(np.zeros(k), corr, seed=1, abseps=1e-8, releps=1e-8).cdf(np.array(z[:k]))
        assert 1 - inside == close(spent(information[k - 1]), abs=3e-6)


@pytest.mark.parametrize(("s", "v", "g", "h"), [(5.0, 40.0, 0.3, 0.7), (-8.0, 90.0, 0.5, 0.5), (20.0, 30.0, 0.9, 0.1)])
def test_beta_binomial_mixture_is_one_on_average(s: float, v: float, g: float, h: float) -> None:
    """Two-sided, after n steps of a two-point variable in [-g, h] with mean 0: E under the null is 1."""
    n, p = 25, g / (g + h)
    total = 0.0
    for up in range(n + 1):
        score = up * h - (n - up) * g
        inputs = {"s": score, "v": n * g * h, "v_opt": v, "g": g, "h": h, "alpha_opt": 0.05, "one_sided": False}
        total += float(stats.binom.pmf(up, n, p)) * exp(evaluate("beta_binomial.log_e", inputs)["value"])
    assert total == close(1.0, rel=1e-9)


@pytest.mark.parametrize("one_sided", [True, False])
@pytest.mark.parametrize(("s", "v", "v_opt"), [(3.0, 20.0, 50.0), (25.0, 100.0, 10.0), (-4.0, 9.0, 100.0)])
def test_normal_mixture_by_integration(s: float, v: float, v_opt: float, one_sided: bool) -> None:
    inputs = {"v_opt": v_opt, "alpha_opt": 0.02, "one_sided": one_sided}
    rho = evaluate("normal_mixture.rho", inputs)["value"]
    scale = 2.0 if one_sided else 1.0

    def mixed(slope: float) -> float:
        return scale * exp(slope * s - slope * slope * v / 2) * stats.norm.pdf(slope, scale=1 / sqrt(rho))

    expected, _ = integrate.quad(mixed, 0.0 if one_sided else -inf, inf)
    found = evaluate("normal_mixture.log_e", {**inputs, "s": s, "v": v})["value"]
    assert found == close(log(expected), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
def test_corrections_of_p_values_by_scipy_and_definition(seed: int) -> None:
    p = np.random.default_rng(seed).random(3 + seed).round(3).tolist()
    found = evaluate("multiplicity", {"p": p, "alpha": 0.3})
    assert found["bh"]["adjusted"] == close(stats.false_discovery_control(p, method="bh").tolist(), rel=1e-12)
    ranked = sorted(p)
    holm = [min(1.0, max((len(p) - j) * ranked[j] for j in range(ranked.index(value) + 1))) for value in p]
    assert found["holm"]["adjusted"] == close(holm, rel=1e-12)


def test_shares_of_traffic_by_scipy_and_simulation() -> None:
    observed, weights = [480, 1010, 530], [1.0, 2.0, 1.0]
    expected = stats.chisquare(observed, np.array(weights) / 4 * sum(observed)).pvalue
    assert evaluate("srm.chi2", {"observed": observed, "weights": weights})["value"] == close(float(expected), rel=1e-9)
    p, n = [0.3, 0.7], 12
    mean = 0.0
    for seen in range(n + 1):
        inputs = {"observed": [seen, n - seen], "probabilities": p, "concentration": 100}
        mean += float(stats.binom.pmf(seen, n, p[0])) * exp(evaluate("srm.sequential", inputs)["log_e"])
    assert mean == close(1.0, rel=1e-9)
