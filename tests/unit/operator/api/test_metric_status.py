from crossfade_operator.api.metric_status import MetricStatus

WRITTEN = {
    "observedGeneration": 1,
    "revision": "0123456789",
    "checkedAt": "2026-11-22T21:30:00.000000Z",
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-22T21:30:00.000000Z",
            "reason": "ContractBroken",
            "message": "no series",
        }
    ],
}


def test_what_is_written_comes_out_as_it_was_written() -> None:
    assert MetricStatus.model_validate(WRITTEN).manifest() == WRITTEN
