"""Answers inference requests, the same way for REST and gRPC, and accounts for each of them exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from crossfade_serving import logs
from crossfade_serving.errors import InferenceProblem, problem_of
from crossfade_serving.labels import REQUEST_ID_HEADER, Assignment, Assignments
from crossfade_serving.lifecycle import ServingDataPlane
from crossfade_serving.metrics import ServingMetrics
from crossfade_serving.model import is_empty

Answer = TypeVar("Answer")


class Inferences:
    """Runs requests through the data plane; counts, times and logs them by arm and analysis bucket."""

    def __init__(self, dataplane: ServingDataPlane, assignments: Assignments, metrics: ServingMetrics) -> None:
        self._dataplane = dataplane
        self._assignments = assignments
        self._metrics = metrics

    async def answer(
        self,
        headers: Mapping[str, str],
        name: str,
        version: str | None,
        decode: Callable[[], Any],
        encode: Callable[[Any], Answer],
    ) -> Answer:
        """Decode, run and encode one request.

        Raises:
            InferenceProblem: it cannot be answered; it has been counted and logged.
        """
        started = time.perf_counter()
        assignment = self._assignments.of(headers)
        series = self._metrics.of(assignment)
        self._metrics.in_flight.inc()
        try:
            self._dataplane.model(name, version)
            response, _ = await self._dataplane.infer(name, decode(), headers)
            empty = is_empty(response)
            answer = encode(response)
            if empty:
                series.empty.inc()
        except Exception as error:
            problem = problem_of(error)
            (series.errors if problem.fault == "server" else series.rejected).inc()
            self._log(problem, assignment, headers, name)
            raise problem from error
        else:
            return answer
        finally:
            self._metrics.in_flight.dec()
            series.requests.inc()
            series.seconds.observe(time.perf_counter() - started)

    def _log(self, problem: InferenceProblem, assignment: Assignment, headers: Mapping[str, str], name: str) -> None:
        served = self._dataplane.served
        write, event = (
            (logs.error, "inference failed") if problem.fault == "server" else (logs.warning, "request rejected")
        )
        write(
            event,
            error=problem.message,
            status=problem.status,
            arm=assignment.arm,
            abucket=assignment.abucket,
            request_id=headers.get(REQUEST_ID_HEADER),
            model=name,
            version=served and served.version,
            digest=served and served.digest,
        )
