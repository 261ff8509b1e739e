"""Events: told once, repeated cheaply, never in the way."""

from __future__ import annotations

from typing import Any, cast

import pytest

from crossfade_operator.adapters.api import Api
from crossfade_operator.adapters.events import NOTE_LENGTH, REMEMBERED, SERIES_LASTS, Recorder
from crossfade_operator.ports.cluster import Unreachable
from tests.fakes.api import FakeApi

ABOUT: dict[str, Any] = {
    "apiVersion": "crossfade.dev/v1alpha1",
    "kind": "ModelRollout",
    "metadata": {"name": "ranker", "namespace": "recs", "uid": "u", "resourceVersion": "5"},
}


class Rig:
    def __init__(self) -> None:
        self.api = FakeApi(lambda _: {})
        self.seconds = 0.0
        self.recorder = Recorder(cast(Api, self.api), "crossfade-serving", "pod-1", clock=lambda: self.seconds)

    async def tell(self, message: str = "why", times: int = 1) -> None:
        for _ in range(times):
            await self.recorder.record(ABOUT, "Warning", "EvidenceOfHarm", message)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_an_event_says_what_it_is_about_and_why(rig: Rig) -> None:
    await rig.tell()
    sent = rig.api.sent("POST")[0]
    assert sent.path == "/apis/events.k8s.io/v1/namespaces/recs/events"
    regarding = {"apiVersion": ABOUT["apiVersion"], "kind": "ModelRollout", **ABOUT["metadata"]}
    told = {field: sent.body[field] for field in ("reason", "type", "note", "regarding", "reportingController")}
    assert told == {
        "reason": "EvidenceOfHarm",
        "type": "Warning",
        "note": "why",
        "regarding": regarding,
        "reportingController": "crossfade-serving",
    }


async def test_a_thousand_repetitions_cost_ten_requests(rig: Rig) -> None:
    await rig.tell(times=1024)
    assert len(rig.api.sent("POST")) == 1
    assert [patch.body["series"]["count"] for patch in rig.api.sent("PATCH")] == [2**n for n in range(1, 11)]


async def test_another_message_is_another_event(rig: Rig) -> None:
    await rig.tell("one")
    await rig.tell("two")
    assert len(rig.api.sent("POST")) == 2


async def test_after_a_long_silence_it_is_told_anew(rig: Rig) -> None:
    await rig.tell()
    rig.seconds += SERIES_LASTS
    await rig.tell()
    assert len(rig.api.sent("POST")) == 2


async def test_a_long_message_is_cut_to_what_the_server_takes(rig: Rig) -> None:
    await rig.tell("x" * 5000)
    assert len(rig.api.sent("POST")[0].body["note"]) == NOTE_LENGTH


async def test_a_lost_event_is_logged_and_tried_again_as_the_first(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.api.answer = lambda _: Unreachable("down")
    await rig.tell("secret of the day")
    assert "secret of the day" in caplog.text
    rig.api.answer = lambda _: {}
    await rig.tell("secret of the day")
    assert len(rig.api.sent("POST")) == 2


async def test_what_is_remembered_is_bounded(rig: Rig) -> None:
    for number in range(REMEMBERED + 1):
        await rig.tell(str(number))
    await rig.tell("0")
    assert len(rig.api.sent("POST")) == REMEMBERED + 2
