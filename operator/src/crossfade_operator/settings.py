"""What an installation decides, from the environment. A value that cannot be used is named, with what to do."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "CROSSFADE_"
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SettingsError(Exception):
    """The environment does not say how to start."""


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must be a URL such as http://crossfade-analyzer.crossfade:8080")
    return url.rstrip("/")


class Settings(BaseModel):
    """What both sides are told. Every field is an environment variable: `analyzer_url` is `CROSSFADE_ANALYZER_URL`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    analyzer_url: Annotated[str, AfterValidator(_http_url)] = Field(description="Where the analyzer answers.")
    namespaces: tuple[str, ...] = Field(default=(), description="Namespaces to watch, by comma; none: all.")
    listen: str = Field(default="0.0.0.0:8080", description="Address of /healthz, /readyz and /metrics.")
    workers: int = Field(default=8, ge=1, le=64, description="Objects reconciled at the same time, at most.")
    lease_namespace: str = Field(default="default", min_length=1, description="Where the Lease lives.")
    lease_name: str = Field(min_length=1, description="Name of the Lease.")
    identity: str = Field(min_length=1, description="Who this process is, in the Lease and in Events.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")

    @field_validator("namespaces", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("listen")
    @classmethod
    def _with_port(cls, value: str) -> str:
        if not value.rpartition(":")[2].isdigit():
            raise ValueError("must be an address and a port such as 0.0.0.0:8080 or [::]:8080")
        return value

    @property
    def listen_host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def listen_port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Raises `SettingsError` with a sentence for every variable that is missing or wrong."""
        given = {
            name: environ[PREFIX + name.upper()] for name in cls.model_fields if environ.get(PREFIX + name.upper())
        }
        try:
            return cls.model_validate({**_of_the_pod(environ), **given})
        except ValidationError as error:
            raise SettingsError("; ".join(_sentence(one["loc"], one["msg"]) for one in error.errors())) from None


class ServingSettings(Settings):
    """What the serving side is told besides."""

    lease_name: str = Field(default="crossfade-serving", min_length=1, description="Name of the Lease.")
    router_image: str = Field(min_length=1, description="Image of routers whose endpoint names none.")
    router_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="Pull policy of router pods; none: the kubelet's default."
    )
    cluster_domain: str = Field(default="cluster.local", min_length=1, description="DNS domain of the cluster.")


class LearningSettings(Settings):
    """What the learning side is told besides."""

    lease_name: str = Field(default="crossfade-learning", min_length=1, description="Name of the Lease.")
    arm_priority_class: str = Field(
        default="", description="PriorityClass of arms whose template names none; none: the cluster's default."
    )


def _of_the_pod(environ: Mapping[str, str]) -> dict[str, str]:
    """The identity is new with every process: a restarted container must not take itself for its predecessor."""
    found = {"identity": f"{environ.get('POD_NAME') or socket.gethostname()}-{secrets.token_hex(4)}"}
    if environ.get("POD_NAMESPACE"):
        found["lease_namespace"] = environ["POD_NAMESPACE"]
    elif NAMESPACE_FILE.is_file():
        found["lease_namespace"] = NAMESPACE_FILE.read_text().strip()
    return found


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    name = PREFIX + str(where[0]).upper()
    return f"set {name}: it is required" if message == "Field required" else f"{name}: {message}"
