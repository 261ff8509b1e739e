"""Every fault has a reason and a place in the documentation."""

from __future__ import annotations

from pathlib import Path

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import REASONS

DOCUMENTED = Path(__file__).parents[3] / "docs" / "analyzer.md"


def test_every_fault_has_a_reason() -> None:
    assert set(REASONS) == set(Fault)


def test_every_fault_is_documented_with_its_reason() -> None:
    text = DOCUMENTED.read_text()
    missing = [fault for fault, reason in REASONS.items() if f"| `{fault.value}` | {reason.value} |" not in text]
    assert missing == []
