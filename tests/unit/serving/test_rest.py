"""Decoding of REST requests."""

from __future__ import annotations

import pytest

from crossfade_serving.kserve_sdk import InvalidInput
from crossfade_serving.rest import decode

BINARY = {"inference-header-content-length": "74"}
HEADER = b'{"inputs":[{"name":"x","shape":[1],"datatype":"INT64","parameters":{"binar'


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        pytest.param(b"", {}, "not a v2 inference request", id="no body"),
        pytest.param(b"{", {}, "EOF while parsing", id="broken JSON"),
        pytest.param(b"[]", {}, "not a v2 inference request", id="a list"),
        pytest.param(b"{}", {}, "inputs: Field required", id="no inputs"),
        pytest.param(b'{"inputs":[{"name":"x"}]}', {}, "inputs.0.shape: Field required", id="an input without a shape"),
        pytest.param(None, {}, "too long", id="a body beyond the limit"),
        pytest.param(HEADER, BINARY, "Unrecognized request format", id="a binary header that is cut off"),
        pytest.param(b"{}", {"inference-header-content-length": "2"}, "'inputs'", id="a binary request without inputs"),
        pytest.param(b"{}", {"inference-header-content-length": "x"}, "invalid literal", id="a length in letters"),
    ],
)
def test_what_is_not_a_request_is_refused_with_the_reason(
    body: bytes | None, headers: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        decode(body, headers, "m")
