import pytest
from pydantic import ValidationError

from crossfade_operator.api.modelendpoint_status import LedgerArm, LedgerEntry, ModelEndpointStatus, PositionRange

WRITTEN = {
    "observedGeneration": 3,
    "salt": "s",
    "address": "http://ranker.recs.svc.cluster.local",
    "rollout": "ranker",
    "stableRevision": "abcdefghij",
    "candidateRevision": "0123456789",
    "route": {
        "generation": 12,
        "digest": "sha256:00",
        "decision": "ranker-12",
        "writtenAt": "2026-11-22T21:30:00.000000Z",
        "confirmedAt": "2026-11-22T21:30:01.000000Z",
        "confirmedGeneration": 12,
    },
    "ledger": [
        {
            "holder": "ModelRollout/ranker",
            "arm": "candidate",
            "revision": "0123456789",
            "positions": 100,
            "ranges": [{"from": 0, "to": 49}, {"from": 900, "to": 949}],
            "generation": 7,
        },
        {
            "holder": "Experiment/new-ranker",
            "arm": "experiment",
            "label": "new-ranker.treatment",
            "request": "1",
            "revision": "9876543210",
            "positions": 10,
            "ranges": [{"from": 100, "to": 109}],
            "generation": 8,
        },
        {
            "holder": "Experiment/old-ranker",
            "arm": "cooldown",
            "positions": 10,
            "ranges": [{"from": 200, "to": 209}],
            "generation": 0,
            "until": "2027-01-01T00:00:00.000000Z",
        },
    ],
    "refusedRequests": [{"holder": "Experiment/big", "request": "1", "message": "no room"}],
    "slice": "10%",
    "replicas": 2,
    "readyReplicas": 2,
    "selector": "crossfade.dev/endpoint=ranker",
    "conditions": [],
}


def test_what_is_remembered_survives_a_restart() -> None:
    remembered = ModelEndpointStatus.model_validate(WRITTEN)
    assert ModelEndpointStatus.model_validate(remembered.manifest()) == remembered
    assert remembered.manifest()["ledger"] == WRITTEN["ledger"]


def test_an_endpoint_that_nobody_has_looked_at_has_a_status_too() -> None:
    assert ModelEndpointStatus.model_validate({}).route is None


def test_a_range_is_built_from_names_that_python_allows() -> None:
    entry = LedgerEntry(
        holder="Holdout",
        arm=LedgerArm.HOLDOUT,
        revision="abcdefghij",
        positions=10,
        ranges=(PositionRange(first=0, last=9),),
    )
    assert entry.manifest()["ranges"] == [{"from": 0, "to": 9}]


@pytest.mark.parametrize("ends", [(-1, 5), (0, 1000), (5, 4)])
def test_a_range_lies_within_the_positions(ends: tuple[int, int]) -> None:
    with pytest.raises(ValidationError):
        PositionRange(first=ends[0], last=ends[1])
