"""Every public reference case at its own tolerance, and cases of our own with their sources."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfade_analyzer.statistics.experiments.multiplicity import benjamini_hochberg
from crossfade_analyzer.statistics.reference import METHODS, evaluate

CASES = Path(__file__).parent / "cases"


def load(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((CASES / name).read_text())["cases"]
    return cases


PUBLIC = load("stats_cases_public.json")


def differences(found: Any, expected: Any, tolerance: dict[str, Any], where: str = "") -> list[str]:
    """Where `found` leaves the tolerance around `expected`; keys that are not expected do not matter."""
    if isinstance(expected, dict):
        return [
            d for key, value in expected.items() for d in differences(found[key], value, tolerance, f"{where}.{key}")
        ]
    if isinstance(expected, list):
        if len(found) != len(expected):
            return [f"{where}: {len(found)} values, not {len(expected)}"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [d for i, (f, e) in pairs for d in differences(f, e, tolerance, f"{where}[{i}]")]
    if isinstance(expected, float) or (isinstance(expected, int) and not isinstance(expected, bool)):
        relative, absolute = tolerance.get("rel", 0.0), tolerance.get("abs", 0.0)
        close = found is not None and math.isclose(found, expected, rel_tol=relative, abs_tol=absolute)
        return [] if close else [f"{where}: {found!r}, not {expected!r}"]
    return [] if found == expected else [f"{where}: {found!r}, not {expected!r}"]


def within(case: dict[str, Any]) -> list[str]:
    found, expected = evaluate(case["method"], case["inputs"]), case["expected"]
    tolerance = {"rel": 0.0, "abs": 0.0} if case["tolerance"].get("exact") else case["tolerance"]
    note = case.get("note", "")
    if "bound above 5" in note:  # not compared, says the case: an unreachable bound has no agreed number
        expected = {"z": expected["z"][1:]}
        found = {"z": found["z"][1:]}
    return differences(found if isinstance(expected, dict) else found["value"], expected, tolerance)


OWN = load("own_cases.json")


@pytest.mark.parametrize("case", OWN, ids=[case["id"] for case in OWN])
def test_own_case(case: dict[str, Any]) -> None:
    assert within(case) == []


@pytest.mark.parametrize("case", PUBLIC, ids=[case["id"] for case in PUBLIC])
def test_public_case(case: dict[str, Any]) -> None:
    assert within(case) == []


def test_public_cases_are_all_there() -> None:
    assert len(PUBLIC) == 84
    assert {case["method"] for case in PUBLIC} <= set(METHODS)


def test_the_comparison_notices_a_wrong_digit() -> None:
    case = next(case for case in PUBLIC if case["id"] == "grid-1")
    wrong = case["expected"] | {"log_e": case["expected"]["log_e"] * (1 + 1e-8)}
    assert within(case | {"expected": wrong}) != []


def test_an_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="no method 'nonsense'"):
        evaluate("nonsense", {})


def spoiled(value: Any, bad: Any) -> Iterator[Any]:
    """Copies of JSON-like `value`, each with one number replaced."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: copy} for copy in spoiled(inner, bad))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield from ([*value[:i], copy, *value[i + 1 :]] for copy in spoiled(inner, bad))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield bad


FIRST_OF_METHOD = {case["method"]: case for case in reversed(PUBLIC + OWN)}


@pytest.mark.parametrize("bad", [math.nan, math.inf, "3"], ids=["nan", "inf", "text"])
@pytest.mark.parametrize("method", FIRST_OF_METHOD)
def test_what_is_no_finite_number_gives_no_number(method: str, bad: float | str) -> None:
    for inputs in spoiled(FIRST_OF_METHOD[method]["inputs"], bad):
        try:
            found = evaluate(method, inputs)
        except ValueError:
            continue
        assert bad == "3", f"{inputs} gave {found}"  # decimals may be written as text
        assert "nan" not in str(found)


@pytest.mark.parametrize("method", FIRST_OF_METHOD)
def test_a_field_that_is_missing_or_of_another_shape_is_a_bad_input(method: str) -> None:
    inputs = FIRST_OF_METHOD[method]["inputs"]
    for key in inputs:
        for shape in ({}, [], None):
            try:
                found = evaluate(method, inputs | {key: shape})
            except ValueError:
                continue
            assert "nan" not in str(found)
    with pytest.raises(ValueError, match="cannot take these inputs"):
        evaluate(method, {})


@pytest.mark.parametrize("method", [m for m, case in FIRST_OF_METHOD.items() if "looks" in case["inputs"]])
@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("NoData", lambda looks: []),
        ("NoData", lambda looks: [resized(look, lambda row: [0] * len(row)) for look in looks]),
        ("BucketsChanged", lambda looks: [*looks, resized(looks[0], lambda row: row[:-1])]),
        ("TooFewBuckets", lambda looks: [resized(look, lambda row: row[:1]) for look in looks]),
    ],
    ids=["no look", "nothing counted", "another layout", "one bucket"],
)
def test_looks_that_cannot_be_judged(method: str, reason: str, change: Callable[[Any], Any]) -> None:
    inputs = FIRST_OF_METHOD[method]["inputs"]
    found = evaluate(method, inputs | {"looks": change(inputs["looks"])})
    assert found["cannot_judge"] == reason
    assert found["sentence"].endswith(".")


def resized(look: dict[str, Any], row: Callable[[list[int]], list[int]]) -> dict[str, Any]:
    return {key: [row(arm) for arm in value] if isinstance(value, list) else value for key, value in look.items()}


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 1.5])
def test_an_error_level_outside_its_range_is_refused_by_name(alpha: float) -> None:
    inputs = FIRST_OF_METHOD["report.ratio_cs"]["inputs"]
    with pytest.raises(ValueError, match=r"inputs\.alpha is in \(0, 1\)"):
        evaluate("report.ratio_cs", inputs | {"alpha": alpha})


NEW = {
    "spending": ("group_sequential.bounds", {"spending": "nonsense"}),
    "parameter": ("group_sequential.bounds",
                  {"alpha_one_sided": 0.025, "spending": "obrien_fleming_exact", "param": 2, "information": [0.5, 1]}),
    "direction": ("noninferiority.relative_margin", {"preferred_direction": "up"}),
    "rate": ("samplesize.proportion_unpooled", {"p_control": 1.2}),
    "units": ("srm.chi2", {"observed": [-5, 50]}),
    "events": ("evalue.grid_one_sample", {"x": 101, "n": 100}),
    "dispersion": ("evalue.grid_one_sample", {"phi": -1}),
    "weights": ("rollout.trace", {"start_weights": [0.7, 0.5]}),
}  # fmt: skip


@pytest.mark.parametrize("name", NEW)
def test_what_cannot_be_is_no_number(name: str) -> None:
    method, changed = NEW[name]
    with pytest.raises(ValueError, match=r"\w+ .* \w+"):
        evaluate(method, FIRST_OF_METHOD[method]["inputs"] | changed)


@pytest.mark.parametrize(
    ("spending", "information", "expected"),
    [
        ("pocock_exact", [0.2, 0.4, 0.6, 0.8, 1.0], [2.4132] * 5),
        ("obrien_fleming_exact", [0.5, 0.5, 1.0], [2.7965, 2.7965, 1.9774]),
    ],
)
def test_classical_bounds(spending: str, information: list[float], expected: list[float]) -> None:
    """Jennison & Turnbull 2000, tables 2.1 and 2.3, two-sided 5 %; a repeated fraction has the bound before."""
    inputs = {"alpha_one_sided": 0.025, "spending": spending, "information": information}
    assert evaluate("group_sequential.bounds", inputs)["z"] == pytest.approx(expected, abs=5e-4)


def test_the_inflation_of_a_classical_design() -> None:
    """Jennison & Turnbull 2000, table 2.4: 1.028."""
    inputs = {"alpha_one_sided": 0.025, "beta": 0.2, "information": [0.2, 0.4, 0.6, 0.8, 1.0]}
    found = evaluate("group_sequential.inflation", inputs | {"spending": "obrien_fleming_exact"})
    assert found["inflation"] == pytest.approx(1.028, abs=1e-3)


@pytest.mark.parametrize(
    ("successes", "trials", "alpha", "t_opt", "expected"),
    [
        (1, 10, 0.05, 10, [0, 0.580065]),
        (9, 10, 0.05, 10, [1 - 0.580065, 1]),
        (1, 1000, 0.01, 10, [0, 0.0128257]),
        (0, 1, 0.05, 1000, [0, 1]),
    ],
)
def test_one_success_or_failure_has_an_interval(
    successes: int, trials: int, alpha: float, t_opt: float, expected: list[float]
) -> None:
    known = FIRST_OF_METHOD["binomial_cs"]["inputs"]
    found = evaluate("binomial_cs", known | {"successes": successes, "trials": trials, "alpha": alpha, "t_opt": t_opt})
    assert found["value"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("starts", "weights", "silent"), [([], [], 99), ([2], [0.5], 2)])
def test_there_is_no_evidence_before_the_first_start(starts: list[int], weights: list[float], silent: int) -> None:
    inputs = FIRST_OF_METHOD["rollout.trace"]["inputs"]
    found = evaluate("rollout.trace", inputs | {"starts": starts, "start_weights": weights})["log_e"]
    assert found[:silent] == [0.0] * len(found[:silent])
    assert any(found[silent:]) is (len(found) > silent)


def test_an_unstable_mean_has_no_relative_sequence() -> None:
    arm = {"n": 100, "sum": 5, "sum_squares": 100}
    inputs = {"control": arm, "treatment": {"n": 100, "sum": 510, "sum_squares": 2800}, "n_star": 1000, "alpha": 0.05}
    assert evaluate("asymp_cs.relative_ci", inputs)["cannot_judge"] == "UnstableDenominator"


@pytest.mark.parametrize("method", [m for m, case in FIRST_OF_METHOD.items() if "phi" in case["inputs"]])
def test_what_is_null_is_as_if_left_out(method: str) -> None:
    inputs = FIRST_OF_METHOD[method]["inputs"]
    without = {name: value for name, value in inputs.items() if name != "phi"}
    assert evaluate(method, inputs | {"phi": None}) == evaluate(method, without)


@pytest.mark.parametrize(("alpha", "n"), [(0.05, 6), (0.1, 3), (0.1, 6)])
def test_benjamini_hochberg_rejects_at_its_very_boundary(alpha: float, n: int) -> None:
    p = [alpha / rank for rank in range(1, n + 1)]
    assert max(benjamini_hochberg(p)) <= alpha
