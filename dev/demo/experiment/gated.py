"""The rollout of a model that has to be proven first: deployed at once, and held at a few users until it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade_operator.cli.rollouts.view import Decision, Rollout
from crossfade_operator.core.reasons import Reason
from dev.cluster.errors import ClusterError
from dev.cluster.paths import REPOSITORY
from dev.demo.experiment.trials import FOLDER
from dev.demo.kube import NAMESPACE, Kube
from dev.demo.show import Show
from dev.demo.staging import example

UNPROVEN = 5.0
"""Percent of the users that a candidate may hold before its gates are met: the endpoint's `policy.unprovenSlice`."""


def manifest() -> Path:
    """The rollout with the gate."""
    return example("rollout", FOLDER)


def waits_at_gate(rollout: Rollout) -> bool:
    """The candidate has users, is fine, and may not have more."""
    return rollout.settled and rollout.candidate is not None and rollout.reason == Reason.GATE_NOT_MET


def swap(kube: Kube, show: Show, old: str, new: str) -> None:
    """Apply the rollout with another model in it and everything else, its gate too, left as it is."""
    path = manifest()
    text = (REPOSITORY / path).read_text()
    if text.count(f"/models/{old}") != 1:
        raise ClusterError(f"{path} does not name /models/{old} once", "restore it from version control")
    show.command(f"sed s,/models/{old},/models/{new}, {path} | kubectl -n {NAMESPACE} apply -f -")
    kube.apply("-", text.replace(f"/models/{old}", f"/models/{new}"))


def largest_share(decisions: Sequence[Decision]) -> float:
    """Percent of the users that these decisions gave to their revisions at most; all of them by a promotion."""
    return max(map(_share, decisions), default=0.0)


def _share(decision: Decision) -> float:
    if decision.action == "Promote":
        return 100.0
    return float(decision.slice.rstrip("%") or 0) if decision.action == "Advance" else 0.0
