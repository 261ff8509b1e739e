"""Every public reference case at its own tolerance, and cases of our own with their sources."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
