"""Evidence that outlives Prometheus: a file that verifies anywhere, and what verifying found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from crossfade_analyzer.contract.base import Digest, Frozen, Name

EVIDENCE_FORMAT: Literal["crossfade-evidence@1"] = "crossfade-evidence@1"


class EvidenceEntry(Frozen):
    """One link of a chain: what was counted or fixed, and what was judged then."""

    seq: int = Field(ge=0)
    kind: Name
    body: Mapping[str, Any]
    previous: Digest | None = None
    digest: Digest
    result: Mapping[str, Any] | None = None


class EvidenceFile(Frozen):
    """All evidence up to a digest. It holds all that verifying needs."""

    format: Literal["crossfade-evidence@1"] = EVIDENCE_FORMAT
    subject: Name
    digest: Digest
    entries: tuple[EvidenceEntry, ...] = Field(min_length=1)


class VerificationRequest(Frozen):
    digest: Digest


class Verification(Frozen):
    """What was recomputed from stored evidence. `verified` when there are no `differences`, each a sentence.

    `verdict`: of a rollout its verdict, of an experiment the recommendation.
    """

    digest: Digest
    subject: str
    verified: bool
    looks: int = Field(ge=0)
    windows: int = Field(default=0, ge=0, description="Of an experiment.")
    verdict: str
    rule: str
    differences: tuple[str, ...]
