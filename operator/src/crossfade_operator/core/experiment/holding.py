"""How long an Experiment that was deleted stays: while users are in its arms, or may be.

Were it gone at once, its arms would be collected under their users, and no Decision would say why these were moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.api.experiment_status import ExperimentStatus
from crossfade_operator.api.meta import GROUP
from crossfade_operator.core.experiment.view import RecordRefused, View

FINALIZER = f"{GROUP}/users-in-arms"


def is_held(experiment: Mapping[str, Any]) -> bool:
    """Whether it stays although it is deleted."""
    return FINALIZER in (experiment["metadata"].get("finalizers") or ())


def is_gone(experiment: Mapping[str, Any]) -> bool:
    """Whether it is deleted, and nothing of ours is to be done for it any more."""
    return bool(experiment["metadata"].get("deletionTimestamp")) and not is_held(experiment)


def asks_for_users(status: ExperimentStatus) -> bool:
    """From the intent to run on: it is held before anybody can be sent to its arms."""
    return status.slice_request is not None or status.pending.get("action") == DecisionAction.RUN.value


def may_go(view: View) -> bool:
    """Nobody is sent to the arms any more, and that is on record, or cannot be: a namespace that is being deleted takes
    no records."""
    recorded = not view.status.pending or (view.deleting and isinstance(view.record, RecordRefused))
    return recorded and view.status.slice_request is None and not view.routed
