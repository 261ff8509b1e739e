"""Prometheus over its HTTP API: raw samples by a range selector at an instant, never `rate()` or `increase()`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from crossfade_analyzer.contract import Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.raw import Histogram, Series, Vector


class Prometheus:
    """A `RawSource` that asks one Prometheus (or anything that speaks its query API)."""

    def __init__(self, url: str, timeout_seconds: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout_seconds
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_seconds, connect=min(3.0, timeout_seconds)))

    def close(self) -> None:
        self._client.close()

    def raw(self, selector: str, start_ms: int, end_ms: int) -> tuple[Series, ...]:
        """Every stored sample of the selector's series with start <= time <= end.

        Prometheus 2 takes both ends of a range in, Prometheus 3 leaves the older one out: one millisecond more is
        asked for, and what lies outside is dropped here.
        """
        span = max(end_ms - start_ms, 0) + 1
        data = self._query("query", query=f"{selector}[{span}ms]", **_at(end_ms))
        return tuple(_series(item, start_ms, end_ms) for item in _typed(data, "matrix"))

    def instant(self, query: str, at_ms: int | None = None) -> Vector:
        """A query evaluated at an instant; without one at the server's present time."""
        result = _typed(self._query("query", query=query, **_at(at_ms)), "vector")
        at = _milliseconds(result[0]["value"][0]) if result else at_ms
        return Vector(at, tuple((item["metric"], float(item["value"][1])) for item in result))

    def steps(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Series, ...]:
        """A query evaluated at start, start + step and so on until end, at most 11,000 times.

        The step is given in milliseconds: Prometheus cuts a step in seconds such as 1.001 to 1,000 ms, and every
        instant but the first would be another one than was asked for.
        """
        times = {"start": _seconds(start_ms), "end": _seconds(end_ms), "step": f"{step_ms}ms"}
        data = self._query("query_range", query=query, **times)
        return tuple(_series(item, start_ms, end_ms) for item in _typed(data, "matrix"))

    def reachable(self) -> bool:
        """Whether the query API answers at all."""
        try:
            self._query("query", query="vector(1)")
        except EvidenceFault:
            return False
        return True

    def _query(self, path: str, **fields: str) -> Mapping[str, Any]:
        form = {**fields, "timeout": f"{int(self._timeout * 1000)}ms"}
        try:
            response = self._client.post(f"{self._url}/api/v1/{path}", data=form)
        except httpx.TimeoutException as error:
            raise self._timed_out(f"no answer within {self._timeout:g} s") from error
        except httpx.HTTPError as error:
            raise EvidenceFault(
                Fault.PROMETHEUS_UNREACHABLE,
                f"Prometheus at {self._url} cannot be reached ({error or type(error).__name__}); "
                "check CROSSFADE_PROMETHEUS_URL and that Prometheus runs",
            ) from error
        return self._data(response)

    def _data(self, response: httpx.Response) -> Mapping[str, Any]:
        try:
            body = response.json()
        except json.JSONDecodeError as error:
            raise self._refused(f"HTTP {response.status_code}, not a query answer") from error
        if isinstance(body, dict) and body.get("status") == "success":
            data: Mapping[str, Any] = body["data"]
            return data
        kind, text = (str(body.get(key, "")) for key in ("errorType", "error")) if isinstance(body, dict) else ("", "")
        if kind in {"timeout", "canceled"}:
            raise self._timed_out(text)
        raise self._refused(f"HTTP {response.status_code}, {kind or 'error'}: {text[:300]}")

    def _timed_out(self, detail: str) -> EvidenceFault:
        return EvidenceFault(
            Fault.PROMETHEUS_TIMEOUT,
            f"Prometheus at {self._url} took too long for a query ({detail}); look at its load, "
            "or raise CROSSFADE_PROMETHEUS_TIMEOUT",
        )

    def _refused(self, detail: str) -> EvidenceFault:
        return EvidenceFault(Fault.PROMETHEUS_REFUSED, f"Prometheus at {self._url} refused a query ({detail})")


def _typed(data: Mapping[str, Any], expected: str) -> list[Any]:
    if data.get("resultType") != expected:
        raise EvidenceFault(
            Fault.PROMETHEUS_REFUSED,
            f"Prometheus answered with a {data.get('resultType')} where a {expected} was asked for",
        )
    result: list[Any] = data["result"]
    return result


def _series(item: Mapping[str, Any], start_ms: int, end_ms: int) -> Series:
    values = ((_milliseconds(at), float(value)) for at, value in item.get("values", ()))
    histograms = ((_milliseconds(at), _histogram(seen)) for at, seen in item.get("histograms", ()))
    return Series(
        item["metric"],
        tuple(sample for sample in values if start_ms <= sample[0] <= end_ms),
        tuple(sample for sample in histograms if start_ms <= sample[0] <= end_ms),
    )


def _histogram(seen: Mapping[str, Any]) -> Histogram:
    buckets = ((float(lower), float(upper), float(count)) for _, lower, upper, count in seen.get("buckets") or ())
    return Histogram(float(seen["count"]), tuple(buckets))


def _at(ms: int | None) -> dict[str, str]:
    return {} if ms is None else {"time": _seconds(ms)}


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.3f}"


def _milliseconds(seconds: float) -> int:
    return round(float(seconds) * 1000)
