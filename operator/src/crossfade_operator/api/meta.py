"""What all kinds share: model bases, names, conditions, and how a kind presents itself to the API server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from crossfade_operator.api.rules import Rule, check

GROUP = "crossfade.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """A part of an object: frozen, camelCase outside, absent when None."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, validate_default=True)

    RULES: ClassVar[tuple[Rule, ...]] = ()
    """What must hold across fields."""

    @model_validator(mode="after")
    def _obey(self) -> Self:
        check(self.RULES, self)
        return self

    def manifest(self) -> dict[str, Any]:
        """Plain JSON values as the API server takes them; what is None is absent."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


class SpecModel(ApiModel):
    """A part that people write: a field that we do not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


class StatusModel(ApiModel):
    """A part that we write: fields of a newer version are passed over. Its defaults are not in the schema."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True)
class TextFormat:
    """Annotates a `str` that people write: its pattern, its longest length, and the sentence for another one."""

    pattern: str
    max_length: int
    message: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.matching, core_schema.str_schema(strict=True))

    def matching(self, text: str) -> str:
        """`text` itself; raises ValueError with the sentence when it has another format."""
        if len(text) > self.max_length or not re.fullmatch(self.pattern, text):
            raise ValueError(f"{self.message}, not {text[:64]!r}")
        return text

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        literal = self.pattern.replace("\\", "\\\\").replace("'", "\\'")
        rule = Rule(cel=f"self.matches('{literal}')", message=self.message)
        return {
            "type": "string",
            "maxLength": self.max_length,
            "pattern": self.pattern,
            "x-kubernetes-validations": [rule.as_schema()],
        }


NOT_BLANK = r"[^ \t\r\n\f\v]"
"""One character that is no white space, in words that both Python and the API server read alike."""

DNS_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"

ObjectName = Annotated[
    str,
    TextFormat(
        DNS_LABEL, 40, "must be a name of at most 40 lower-case letters, digits and '-', starting with a letter"
    ),
]
"""The name of an endpoint or rollout: children are named after it, so it is a DNS label with room to spare."""

CHILDREN_NAMES = Rule(
    cel=f"self.metadata.name.size() <= 40 && self.metadata.name.matches('{DNS_LABEL}')",
    message="the name must be at most 40 lower-case letters, digits and '-', starting with a letter: Services and pods "
    "are named after it",
)

MetricName = Annotated[
    str,
    TextFormat(
        DNS_LABEL, 63, "must be a name of at most 63 lower-case letters, digits and '-', starting with a letter"
    ),
]

Owner = Annotated[
    str,
    TextFormat(
        rf"^{NOT_BLANK}([^\r\n]*{NOT_BLANK})?$", 253, "must be a team or a person: one line, not blank at its ends"
    ),
]

Revision = Annotated[str, Field(pattern=r"^[a-z0-9]{10}$", max_length=10)]
"""The hash of a pod template: 10 characters."""

Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,62}$", max_length=63)]
"""A reason or condition type in CamelCase."""

ShortText = Annotated[str, Field(max_length=253)]
Digest = Annotated[str, Field(max_length=128)]
Int64 = Annotated[StrictInt, Field(json_schema_extra={"format": "int64"})]
Whole = Annotated[StrictInt, Field(ge=0, json_schema_extra={"format": "int64"})]

Number = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$", max_length=32)]
"""A number for display, as a string: no two programs round it differently."""

MESSAGE_LENGTH = 1024


def _shortened(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"


Message = Annotated[
    str,
    PlainSerializer(_shortened, when_used="json"),
    WithJsonSchema({"type": "string", "maxLength": MESSAGE_LENGTH}),
]
"""A sentence for people. A longer one is cut when it is written, so that it can never make a status unwritable."""


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T21:30:00.123456Z`: UTC with microseconds, as the API server keeps it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 35}),
]
"""A time that we write."""

_WRITTEN_TIME = TextFormat(
    r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[-+](0[0-9]|1[0-4]):[0-5][0-9])$",
    32,
    "must be a date and time with a zone, such as 2027-01-01T00:00:00Z",
)


def _written_time(value: object) -> object:
    return value if isinstance(value, datetime) else _WRITTEN_TIME.matching(str(value))


WrittenTime = Annotated[
    Timestamp,
    BeforeValidator(_written_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _WRITTEN_TIME.pattern, "maxLength": 32}),
]
"""A time that people write."""


class ConditionStatus(StrEnum):
    """Three values: `Unknown` says that it could not be looked at, never that it is wrong."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(StatusModel):
    """One condition of an object, as `kubectl wait --for=condition=...` reads it."""

    type: Word = Field(description="What the condition is about, in CamelCase.")
    status: ConditionStatus = Field(description="Whether it holds; Unknown when it could not be looked at.")
    observed_generation: Whole = Field(default=0, description="The metadata.generation that was looked at.")
    last_transition_time: Timestamp = Field(description="When `status` last changed.")
    reason: Word = Field(description="Why, in one CamelCase word.")
    message: Message = Field(default="", description="Why, in a sentence.")


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        description="The conditions of the object, by type.",
    ),
]


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; a `wide` one is shown with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True)
class Scale:
    """Where the scale subresource finds its numbers."""

    spec_replicas: str
    status_replicas: str = ".status.replicas"
    selector: str = ".status.selector"


@dataclass(frozen=True)
class Resource:
    """One kind: its names, its models, the rules that span spec, status and name, and how kubectl shows it."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[SpecModel]
    status: type[StatusModel] | None
    """None for records, which have no state."""
    rules: tuple[Rule, ...]
    columns: tuple[Column, ...]
    scale: Scale | None = None
    selectable: tuple[str, ...] = ()
