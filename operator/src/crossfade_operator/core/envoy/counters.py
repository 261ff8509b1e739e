"""Counters of what users met, by arm, analysis bucket and who really served: written by Envoy's stats access logger.

Series are never evicted: an evicted counter would start again at zero, and whoever reads raw counters would take the
gap for a restart. `_MOST_SERIES` bounds them instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossfade_operator.core.envoy.places import ARM_HEADER, BUCKET_HEADER, Json, typed
from crossfade_operator.core.routing import RoutingTable, milliseconds

PREFIX = "crossfade"
_MOST_SERIES = 200_000
_LOGGER = "envoy.access_loggers.stats"

_GRPC_FAULTS = ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]
"""What HTTP would answer with 5xx."""
_BROKEN_OFF = ["UC", "UR", "UT", "LR", "UPE", "UMSDR"]
"""The upstream's side ended the answer early. A client that went away (DC) is not among them: that says nothing about
the model, and what the client waited for is in the latency."""

_HAS_ARM: Json = {"header_filter": {"header": {"name": ARM_HEADER, "present_match": True}}}
"""What no arm was found for is not counted: what the router refuses by itself (no HTTP, no revision yet, a tester's
unknown arm) would make series without the label `arm`, which to a reader is a label that somebody has removed."""


def loggers(table: RoutingTable) -> list[Json]:
    """The access loggers of the users' and the testers' listener."""
    return [_requests(table), _errors(table), *_slower(table), *_rewards(table)]


def _requests(table: RoutingTable) -> Json:
    spent = {"value_format": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"}
    return _logger([_counter(table, "requests", {"value_fixed": 1}), _counter(table, "latency_us", spent)])


def _errors(table: RoutingTable) -> Json:
    grpc = {"header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}}
    grpc_fault = {
        "and_filter": {"filters": [{"header_filter": grpc}, {"grpc_status_filter": {"statuses": _GRPC_FAULTS}}]}
    }
    broken = {"response_flag_filter": {"flags": _BROKEN_OFF}}
    filters = [_at_least("status_code_filter", 500, "error"), broken, grpc_fault]
    return _logger([_counter(table, "errors", {"value_fixed": 1})], {"or_filter": {"filters": filters}})


def _slower(table: RoutingTable) -> Iterator[Json]:
    for bound in table.latency_bounds:
        slow = _at_least("duration_filter", milliseconds(bound), f"slower.{bound}")
        yield _logger([_counter(table, "slower", {"value_fixed": 1}, bound=bound)], slow)


def _rewards(table: RoutingTable) -> Iterator[Json]:
    if table.reward_header is None:
        return
    reward = f"response.headers['{table.reward_header.lower()}']"
    # Counters hold whole numbers: anything else in the header is no reward, and is not counted as one.
    usable = f"'{table.reward_header.lower()}' in response.headers && {reward}.matches('^[0-9]{{1,9}}$')"
    expression = typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=usable)
    counters = [
        _counter(table, "reward_count", {"value_fixed": 1}),
        _counter(table, "reward", {"value_format": f"%RESP({table.reward_header})%"}),
        _counter(table, "reward_sq", {"value_format": f"%CEL(int({reward}) * int({reward}))%"}),
    ]
    yield _logger(counters, {"extension_filter": {"name": "cel", "typed_config": expression}})


def _logger(counters: list[Json], when: Json | None = None) -> Json:
    scope = {"prefix": PREFIX, "sharing_name": PREFIX, "max_counters": _MOST_SERIES}
    config = typed("envoy.extensions.access_loggers.stats.v3.Config", stats_scope=scope, counters=counters)
    condition = {"and_filter": {"filters": [when, _HAS_ARM]}} if when else _HAS_ARM
    return {"name": _LOGGER, "typed_config": config, "filter": condition}


def _counter(table: RoutingTable, name: str, value: Json, **more: str) -> Json:
    labels = {
        "arm": f"%REQ({ARM_HEADER})%",
        "abucket": f"%REQ({BUCKET_HEADER})%",
        "served": "%UPSTREAM_HOST_NAME%",
        "model_endpoint": table.endpoint,
        **more,
    }
    tags = [{"name": label, "value_format": text} for label, text in labels.items()]
    return {"stat": {"name": name, "tags": tags}, **value}


def _at_least(filter_name: str, least: int, key: str) -> Json:
    value = {"default_value": least, "runtime_key": f"crossfade.{key}"}
    return {filter_name: {"comparison": {"op": "GE", "value": value}}}
