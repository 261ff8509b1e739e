from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from crossfade_operator.processes import memory


async def test_freed_memory_is_given_back_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    often = asyncio.Event()
    pads: list[int] = []

    def trim(pad: int) -> int:
        pads.append(pad)
        if len(pads) == 3:
            often.set()
        return 1

    monkeypatch.setattr(memory, "_malloc_trim", lambda: trim)
    giving = asyncio.create_task(memory.give_back(every=0.001))
    await asyncio.wait_for(often.wait(), 30)
    giving.cancel()
    assert set(pads) == {0}


async def test_a_c_library_without_the_call_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_malloc_trim", lambda: None)
    await asyncio.wait_for(memory.give_back(every=0.001), 30)


def test_the_call_is_this_machines_own() -> None:
    trim: Callable[[int], int] | None = memory._malloc_trim()
    assert trim is None or trim(0) in (0, 1)
