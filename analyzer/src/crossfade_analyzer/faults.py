"""What can be wrong with evidence: one name, one reason and one way out per fault. A fault is never a number."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_analyzer.contract import Fault, Reason

REASONS: dict[Fault, Reason] = {
    Fault.WARMING_UP: Reason.INSUFFICIENT_DATA,
    Fault.NOTHING_SCRAPED_YET: Reason.INSUFFICIENT_DATA,
    Fault.ARM_MISSING: Reason.INSUFFICIENT_DATA,
    Fault.TOO_FEW_BUCKETS: Reason.INSUFFICIENT_DATA,
    Fault.PROMETHEUS_UNREACHABLE: Reason.METRICS_UNAVAILABLE,
    Fault.PROMETHEUS_TIMEOUT: Reason.METRICS_UNAVAILABLE,
    Fault.PROMETHEUS_REFUSED: Reason.METRICS_UNAVAILABLE,
    Fault.NO_SERIES: Reason.METRICS_UNAVAILABLE,
    Fault.NOT_SCRAPED: Reason.METRICS_UNAVAILABLE,
    Fault.TARGET_DOWN: Reason.METRICS_UNAVAILABLE,
    Fault.STALE: Reason.METRICS_UNAVAILABLE,
    Fault.VANISHED: Reason.METRICS_UNAVAILABLE,
    Fault.NOT_A_SELECTOR: Reason.CONTRACT_BROKEN,
    Fault.NOT_A_COUNTER: Reason.CONTRACT_BROKEN,
    Fault.BOUND_MISSING: Reason.CONTRACT_BROKEN,
    Fault.PINNED_LABEL: Reason.CONTRACT_BROKEN,
    Fault.NOT_A_NUMBER: Reason.CONTRACT_BROKEN,
    Fault.NOT_AN_INTEGER: Reason.CONTRACT_BROKEN,
    Fault.NEGATIVE: Reason.CONTRACT_BROKEN,
    Fault.DECREASING: Reason.CONTRACT_BROKEN,
    Fault.RELABELLED: Reason.CONTRACT_BROKEN,
    Fault.DUPLICATED: Reason.CONTRACT_BROKEN,
    Fault.OWN_TIMESTAMPS: Reason.CONTRACT_BROKEN,
    Fault.MORE_EVENTS_THAN_REQUESTS: Reason.CONTRACT_BROKEN,
    Fault.SAMPLE_RATIO_MISMATCH: Reason.SAMPLE_RATIO_MISMATCH,
}


@dataclass(frozen=True)
class Finding:
    """A fault that was found, with the sentence for the person who has to mend it."""

    fault: Fault
    message: str

    @property
    def reason(self) -> Reason:
        """The reason of the rollout's status that this fault belongs to."""
        return REASONS[self.fault]


class EvidenceFault(Exception):
    """The evidence cannot be used as it is; `finding` says why."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(fault, message)
