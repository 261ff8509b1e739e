"""Every benchmark says how it is used, and refuses what it does not know before it starts anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted(folder.parent.name for folder in (ROOT / "benchmarks").glob("*/__main__.py"))
WITHIN = 120.0
pytestmark = pytest.mark.slow


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(argv, cwd=ROOT, env=wide, capture_output=True, text=True, timeout=WITHIN, check=False)


def test_there_are_benchmarks() -> None:
    assert {"controller", "router"} <= set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_says_how_it_is_used(name: str) -> None:
    said = _run(name, "--help")
    assert said.returncode == 0, said.stderr
    assert f"python -m benchmarks.{name}" in said.stdout


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_refuses_an_unknown_argument(name: str) -> None:
    said = _run(name, "--no-such-argument")
    assert said.returncode == 2
    assert "--no-such-argument" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sideways"], "invalid choice: 'sideways'"),
        (["idle", "--rollouts", "0"], "'0' is not a whole number of at least 1"),
        (["idle", "--window", "soon"], "'soon' is not a whole number of at least 1"),
        (["reaction", "--rounds", "1"], "'1' is not a whole number of at least 2"),
        (["first-slice", "--rounds", "-3"], "'-3' is not a whole number of at least 2"),
        (["idle", "--write", "no-such-page.md"], "no-such-page.md has no place for these figures"),
        (["reaction", "--cluster", "Not A Name"], "cluster name 'Not A Name' is not usable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_controllers_benchmark_names_what_is_wrong(arguments: list[str], sentence: str) -> None:
    said = _run("controller", *arguments)
    assert said.returncode in (1, 2)
    assert sentence in said.stderr
