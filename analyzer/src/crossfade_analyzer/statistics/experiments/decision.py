"""Ship or not: Decision Rule 2 of Schultzberg et al. 2024 (2402.11609), method `decision.rule2`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """Why, in the order in which they are looked for: the first that applies is reported."""

    QUALITY = "quality"
    DETERIORATION = "deterioration"
    GUARDRAIL_NOT_NONINFERIOR = "guardrail_not_noninferior"
    NO_SUCCESS = "no_success"
    SHIP = "ship"


@dataclass(frozen=True, slots=True)
class Decision:
    ship: bool
    reason: Finding


def rule2(
    success_superior: Sequence[bool],
    guardrail_noninferior: Sequence[bool],
    *,
    any_deterioration: bool,
    any_quality_rejected: bool,
) -> Decision:
    """Ship iff no quality test rejects, nothing is shown worse, every guardrail is shown non-inferior and a success
    metric (if there is any) is shown superior."""
    if any_quality_rejected:
        return Decision(False, Finding.QUALITY)
    if any_deterioration:
        return Decision(False, Finding.DETERIORATION)
    if not all(guardrail_noninferior):
        return Decision(False, Finding.GUARDRAIL_NOT_NONINFERIOR)
    if success_superior and not any(success_superior):
        return Decision(False, Finding.NO_SUCCESS)
    return Decision(True, Finding.SHIP)
