"""The server's settings: command-line options, each with an environment variable as its default."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfade_serving.artefact import DIGEST_PATTERN
from crossfade_serving.errors import SettingsError

DEFAULT_ARMS = ("stable", "candidate", "holdout", "unassigned", "control", "treatment")
ENVIRONMENT_PREFIX = "CROSSFADE_"


@dataclass(frozen=True)
class Settings:
    """How to serve one model. Times are in seconds, sizes in bytes."""

    model_path: Path = Path("/mnt/models")
    model_name: str = "model"
    model_version: str | None = None
    model_digest: str | None = None
    http_port: int = 8080
    grpc_port: int = 8081
    inference_threads: int = 4
    warmup: int = 20
    warmup_request: Path | None = None
    drain_delay: float = 5.0
    drain_timeout: float = 20.0
    keep_alive: int = 3900
    max_request_bytes: int = 8 * 1024 * 1024
    arms: tuple[str, ...] = DEFAULT_ARMS

    def __post_init__(self) -> None:
        for name in ("http_port", "grpc_port"):
            _require(0 <= getattr(self, name) <= 65_535, name, getattr(self, name), "a port from 0 to 65535")
        for name in ("inference_threads", "warmup", "drain_delay", "drain_timeout"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "a number that is not negative")
        for name in ("keep_alive", "max_request_bytes"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        _require(bool(self.model_name), "model_name", self.model_name, "a name")
        if self.model_digest is not None:
            fits = DIGEST_PATTERN.fullmatch(self.model_digest) is not None
            _require(fits, "model_digest", self.model_digest, "sha256: and 64 lower-case hexadecimal digits")


@dataclass(frozen=True)
class _Option:
    name: str
    kind: type
    help: str


_OPTIONS = (
    _Option("model_path", Path, "the .onnx file, or a directory (a volume) that holds exactly one"),
    _Option("model_name", str, "name in the protocol's paths: /v2/models/NAME/infer"),
    _Option("model_version", str, "version to show; default: the ONNX metadata 'version', or part of the digest"),
    _Option("model_digest", str, "refuse to start unless the model has this digest (sha256:...)"),
    _Option("http_port", int, "port for REST, health and /metrics; 0: any free one"),
    _Option("grpc_port", int, "port for gRPC; 0: any free one"),
    _Option("inference_threads", int, "inferences at a time; 0: on the event loop, for models of microseconds"),
    _Option("warmup", int, "inferences before the server is ready"),
    _Option("warmup_request", Path, "file with a v2 request for the warm-up; default: zeros"),
    _Option("drain_delay", float, "seconds that requests are still taken after SIGTERM, unready"),
    _Option("drain_timeout", float, "seconds that running requests then get to finish"),
    _Option("keep_alive", int, "seconds an idle HTTP connection is kept; longer than the proxy's own limit"),
    _Option("max_request_bytes", int, "largest request that is read"),
)


def parse(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from options and environment variables (``--model-path`` is ``CROSSFADE_MODEL_PATH``).

    Raises:
        SettingsError: a value is malformed; the sentence names it.
    """
    options = vars(_parser(environment).parse_args(arguments))
    given = {option.name: _convert(option, options[option.name]) for option in _OPTIONS if options[option.name]}
    if options["arms"]:
        given["arms"] = tuple(arm.strip() for arm in options["arms"].split(",") if arm.strip())
    return Settings(**given)  # type: ignore[arg-type]


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crossfade-serving",
        description="Serve one ONNX model over the Open Inference Protocol v2 (REST and gRPC).",
        epilog="Every option can be given as an environment variable: --model-path as CROSSFADE_MODEL_PATH.",
        allow_abbrev=False,
    )
    for option in _OPTIONS:
        _add(parser, environment, option.name, option.help, getattr(Settings, option.name))
    arms = "values of x-arm that get metrics of their own, besides arms of experiments"
    _add(parser, environment, "arms", arms, ",".join(DEFAULT_ARMS))
    return parser


def _add(
    parser: argparse.ArgumentParser, environment: Mapping[str, str], name: str, text: str, default: object
) -> None:
    shown = "" if default is None or "default:" in text else f" (default: {default})"
    variable = ENVIRONMENT_PREFIX + name.upper()
    parser.add_argument(
        "--" + name.replace("_", "-"), default=environment.get(variable), metavar="VALUE", help=text + shown
    )


def _convert(option: _Option, value: str) -> object:
    try:
        return option.kind(value)
    except ValueError:
        kind = "a whole number" if option.kind is int else "a number"
        raise SettingsError(f"{_both_names(option.name)} must be {kind}, not {value!r}") from None


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise SettingsError(f"{_both_names(name)} must be {wanted}, not {value!r}")


def _both_names(name: str) -> str:
    return f"--{name.replace('_', '-')} ({ENVIRONMENT_PREFIX}{name.upper()})"
