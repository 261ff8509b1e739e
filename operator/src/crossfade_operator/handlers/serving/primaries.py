"""What people write: each event of it becomes a wake. State, waits and errors live in the work queues."""

from __future__ import annotations

from typing import Any

import kopf

from crossfade_operator.api.meta import GROUP, VERSION
from crossfade_operator.handlers.serving.wakes import Wakes

REGISTRY = kopf.OperatorRegistry()
"""Event handlers only: kopf then leaves no finalizer and no annotation on anybody's object."""


@kopf.on.event(GROUP, VERSION, "modelendpoints", registry=REGISTRY)
async def endpoint_changed(type: str | None, body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:  # noqa: A002
    _wakes(memo).endpoint(type, _plain(body))


@kopf.on.event(GROUP, VERSION, "modelrollouts", registry=REGISTRY)
async def rollout_changed(type: str | None, body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:  # noqa: A002
    _wakes(memo).rollout(type, _plain(body))


@kopf.on.event(GROUP, VERSION, "experiments", registry=REGISTRY)
async def experiment_changed(type: str | None, body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:  # noqa: A002
    _wakes(memo).experiment(type, _plain(body))


@kopf.on.event(GROUP, VERSION, "reviews", registry=REGISTRY)
async def review_made(type: str | None, body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:  # noqa: A002
    _wakes(memo).review(type, _plain(body))


@kopf.on.login(registry=REGISTRY)
async def login(memo: kopf.Memo, **_: Any) -> kopf.ConnectionInfo:
    connection: kopf.ConnectionInfo = await memo.connection()
    return connection


def _wakes(memo: kopf.Memo) -> Wakes:
    wakes: Wakes = memo.wakes
    return wakes


def _plain(body: kopf.Body) -> dict[str, Any]:
    return dict(body)
