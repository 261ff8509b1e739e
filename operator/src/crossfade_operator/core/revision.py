"""What makes a revision: the hash of a pod template, and the names that follow from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no look-alikes: a name never spells a word
_LENGTH = 10


def revision_of(template: Mapping[str, Any]) -> str:
    """The revision of a pod template: ten characters of its SHA-256 over canonical JSON.

    The order of keys does not matter; anything else does. Two templates that differ share a revision with
    probability 2^-47.
    """
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    number = int.from_bytes(hashlib.sha256(canonical.encode()).digest()[:16])
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def child_name(rollout: str, revision: str) -> str:
    """The name of a revision's Deployment, headless Service and ControllerRevision."""
    return f"{rollout}-{revision}"


def arm_key(experiment: str, arm: str, revision: str) -> str:
    """What tells an arm's own pods from all others that may run the same revision: as long as a revision."""
    return revision_of({"experiment": experiment, "arm": arm, "revision": revision})


def served_by(label: str, revision: str) -> str:
    """What the routers' counters say in `served` of the pods of an arm, `label` being `<experiment>.<arm>`."""
    return f"{label}.{revision}"
