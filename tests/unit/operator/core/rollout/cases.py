"""Every sentence about the machine."""

from __future__ import annotations

from tests.unit.operator.core.rollout.cases_analysis import ANALYSES
from tests.unit.operator.core.rollout.cases_before import AT_REST, SHIFTS, STARTS
from tests.unit.operator.core.rollout.cases_overrides import EMERGENCIES, OVERRIDES
from tests.unit.operator.core.rollout.cases_requests import REQUESTS, WITHDRAWALS

CASES = (*AT_REST, *STARTS, *SHIFTS, *ANALYSES, *WITHDRAWALS, *REQUESTS, *OVERRIDES, *EMERGENCIES)
