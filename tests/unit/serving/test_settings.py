"""Options and environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade_serving.errors import SettingsError
from crossfade_serving.settings import Settings, parse


def test_the_defaults_are_those_of_the_dataclass() -> None:
    assert parse([], {}) == Settings()


def test_an_environment_variable_sets_a_default_and_an_option_overrides_it() -> None:
    environment = {"CROSSFADE_MODEL_PATH": "/models/v1", "CROSSFADE_HTTP_PORT": "9000"}
    assert parse([], environment).model_path == Path("/models/v1")
    assert parse(["--http-port", "9001"], environment).http_port == 9001


def test_zero_is_a_value() -> None:
    settings = parse(["--drain-delay", "0", "--inference-threads", "0", "--http-port", "0"], {})
    assert (settings.drain_delay, settings.inference_threads, settings.http_port) == (0.0, 0, 0)


def test_arms_are_a_list() -> None:
    assert parse(["--arms", "stable, blue"], {}).arms == ("stable", "blue")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--http-port", "eighty"], r"--http-port \(CROSSFADE_HTTP_PORT\) must be a whole number, not 'eighty'"),
        (["--http-port", "70000"], "must be a port from 0 to 65535, not 70000"),
        (["--warmup", "-1"], "must be a number that is not negative"),
        (["--keep-alive", "0"], "must be a positive number"),
        (["--model-digest", "md5:abc"], "must be sha256: and 64 lower-case hexadecimal digits"),
    ],
)
def test_a_wrong_value_is_refused_by_name(arguments: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse(arguments, {})
