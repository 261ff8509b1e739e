"""An exporter of native histograms: Prometheus' protobuf format, in which alone they can be scraped.

Written by hand, since no client for Python speaks it: https://github.com/prometheus/client_model, metrics.proto.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.fakes.exporter import Exporter, Key

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
_UNTYPED, _HISTOGRAM = 3, 4
_ZERO_THRESHOLD = 2.0**-128


class NativeExporter(Exporter):
    """Beside its counters it has histograms in schema `schema`, which a test may make coarser while it lives."""

    content_type = CONTENT_TYPE

    def __init__(self, schema: int = 3) -> None:
        super().__init__()
        self.schema = schema
        self.observed: dict[Key, list[float]] = {}

    def observe(self, name: str, values: Iterable[float], **labels: str) -> None:
        with self.guard:
            self.observed.setdefault((name, tuple(sorted(labels.items()))), []).extend(values)

    def body(self) -> bytes:
        families = [_family(key, _UNTYPED, _message(5, _double(1, float(v)))) for key, v in self.exposed().items()]
        with self.guard:
            families += [
                _family(key, _HISTOGRAM, _message(7, _histogram(values, self.schema)))
                for key, values in self.observed.items()
            ]
        return b"".join(_varint(len(family)) + family for family in families)


def _family(key: Key, kind: int, value: bytes) -> bytes:
    name, labels = key
    pairs = b"".join(_message(1, _text(1, label) + _text(2, of)) for label, of in labels)
    return _text(1, name) + _number(3, kind) + _message(4, pairs + value)


def _histogram(values: list[float], schema: int) -> bytes:
    counts = Counter(math.ceil(math.log2(value) * 2.0**schema) for value in values)
    spans, deltas, before, last = b"", b"", 0, None
    for index in sorted(counts):
        spans += _message(12, _number(1, _zigzag(index if last is None else index - last - 1)) + _number(2, 1))
        deltas += _number(13, _zigzag(counts[index] - before))
        before, last = counts[index], index
    head = _number(1, len(values)) + _double(2, math.fsum(values)) + _number(5, _zigzag(schema))
    return head + _double(6, _ZERO_THRESHOLD) + _number(7, 0) + spans + deltas


def _zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _varint(value: int) -> bytes:
    return bytes(_sevens(value))


def _sevens(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
