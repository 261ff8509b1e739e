"""What users did with the answers: sessions and the plays in them, as whoever they listen with reports them.

A report counts for the arm and analysis bucket that the router states, as an inference does. The router finds them by
the user, so they are the ones to which the user was assigned, whichever model answered meanwhile and
whichever server hears of it: a comparison of arms by outcomes is one by intention to treat.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crossfade_serving.kserve_sdk import InvalidInput
from crossfade_serving.labels import Assignments
from crossfade_serving.metrics import ServingMetrics

MOST_PLAYS = 1000
"""In one session: a single report can only move a mean so far."""
MOST_BYTES = 1024


class Session(BaseModel):
    """One report: what a user played in one session."""

    model_config = ConfigDict(strict=True, extra="forbid")

    plays: int = Field(ge=0, le=MOST_PLAYS)


class Outcomes:
    """Counts reported sessions by arm and analysis bucket. No model is asked, so none can be disturbed."""

    def __init__(self, assignments: Assignments, metrics: ServingMetrics) -> None:
        self._assignments = assignments
        self._metrics = metrics

    def report(self, headers: Mapping[str, str], body: bytes | None) -> None:
        """Count the session in `body`, which is ``None`` when it was longer than `MOST_BYTES`.

        Raises:
            InvalidInput: it is not a session; only the rejection has been counted.
        """
        series = self._metrics.outcomes_of(self._assignments.of(headers))
        try:
            session = _decode(body)
        except InvalidInput:
            series.rejected.inc()
            raise
        series.sessions.inc()
        series.plays.inc(session.plays)


def _decode(body: bytes | None) -> Session:
    if body is None:
        raise InvalidInput(f"the report is too long: send one session at a time, in at most {MOST_BYTES} bytes")
    try:
        return Session.model_validate_json(body)
    except ValidationError as error:
        finding = error.errors(include_url=False, include_input=False)[0]
        where = "".join(f"{part}: " for part in finding["loc"])
        raise InvalidInput(f'not a session: {where}{finding["msg"]}; send what was played: {{"plays": 3}}') from error
