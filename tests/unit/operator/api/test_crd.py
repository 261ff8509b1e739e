from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.crd import (
    KEYWORDS,
    PRESERVE,
    RESOURCES,
    VALIDATIONS,
    NotStructural,
    StatusSchema,
    fields,
    render,
    structural,
)
from crossfade_operator.api.meta import Resource, SpecModel
from crossfade_operator.api.quantities import Duration
from crossfade_operator.api.rules import Rule, unchangeable

SHORT_NAMES = {
    "ModelEndpoint": "mep",
    "ModelRollout": "mr",
    "Metric": "met",
    "Experiment": "exp",
    "Decision": "dec",
    "Review": "rev",
}
BY_KIND = pytest.mark.parametrize("resource", RESOURCES, ids=[resource.kind for resource in RESOURCES])


class Inner(SpecModel):
    """An inner part."""

    RULES = (Rule(cel="self.size > 0", message="must be above 0"),)

    size: StrictInt = Field(default=1, ge=0, le=9, description="How big.")


class Outer(SpecModel):
    """An outer part."""

    inner: Inner = Field(default_factory=Inner, description="What is inside.")
    other: Annotated[Inner | None, unchangeable("stays")] = Field(default=None, description="What else.")
    wait: Duration = Field(default=Duration("5m"), description="How long.")
    on: StrictBool = Field(default=False, description="Whether.")
    parts: tuple[Inner, ...] = Field(default=(Inner(), Inner(size=2)), max_length=3, description="Parts.")
    free: dict[str, Any] | None = Field(default=None, description="Anything.")


OUTER = structural(Outer)


def test_parts_are_written_out_in_place() -> None:
    assert OUTER["properties"]["other"]["properties"]["size"]["maximum"] == 9


def test_optional_is_neither_required_nor_null_nor_defaulted() -> None:
    assert "required" not in OUTER
    assert not {"default", "anyOf", "nullable"} & set(OUTER["properties"]["other"])


def test_the_default_of_a_part_is_written_in_full() -> None:
    assert OUTER["properties"]["inner"]["default"] == {"size": 1}


def test_a_default_is_said_in_the_description_too() -> None:
    said = {name: field["description"] for name, field in OUTER["properties"].items()}
    assert said["wait"] == "How long. Defaults to 5m."
    assert said["on"] == "Whether. Defaults to false."
    assert said["parts"] == "Parts. Defaults to [{}, {size: 2}]."
    assert said["other"] == "What else."


def test_rules_of_a_part_and_of_the_field_that_holds_it_add_up() -> None:
    assert [rule["message"] for rule in OUTER["properties"]["other"][VALIDATIONS]] == ["must be above 0", "stays"]
    assert [rule["message"] for rule in OUTER["properties"]["inner"][VALIDATIONS]] == ["must be above 0"]


def test_anything_goes_only_where_it_is_said() -> None:
    assert OUTER["properties"]["free"] == {"description": "Anything.", "type": "object", PRESERVE: True}
    assert PRESERVE not in OUTER


def test_a_status_has_no_defaults() -> None:
    assert "default" not in str(structural(Outer, StatusSchema))


class Undescribed(SpecModel):
    size: StrictInt = Field(default=1, ge=0, le=9)


class Unbounded(SpecModel):
    name: str = Field(description="A name of any length.")


class UnboundedList(SpecModel):
    names: tuple[StrictBool, ...] = Field(description="Any number.")


class UnboundedNumber(SpecModel):
    size: StrictInt = Field(ge=0, description="Any number.")


class OneOfTwo(SpecModel):
    size: StrictInt | StrictBool = Field(description="Either.")


class Excluding(SpecModel):
    size: StrictInt = Field(gt=0, le=9, description="Above 0.")


class Constant(SpecModel):
    size: Literal["x"] = Field(description="Always x.")


class Anything(SpecModel):
    size: Any = Field(description="Anything.")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Undescribed, r"Undescribed.size: a field needs a description"),
        (Unbounded, r"Unbounded.name: a string without a bound; give it maxLength"),
        (UnboundedList, r"UnboundedList.names: a array without a bound; give it maxItems"),
        (UnboundedNumber, r"UnboundedNumber.size: a integer without a bound"),
        (OneOfTwo, r"OneOfTwo.size: \['anyOf'\] cannot be said"),
        (Excluding, r"Excluding.size: \['exclusiveMinimum'\] cannot be said"),
        (Constant, r"Constant.size: \['const'\] cannot be said"),
        (Anything, r"Anything.size: a value without a type cannot be said"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_the_api_server_would_drop_is_refused(model: type[SpecModel], says: str) -> None:
    with pytest.raises(NotStructural, match=says):
        structural(model)


def schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for each in inner:
        if each:
            yield from schemas(each)


@BY_KIND
def test_a_kind_says_only_what_the_api_server_knows(resource: Resource) -> None:
    root = render(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert all(set(schema) <= set(KEYWORDS) for schema in schemas(root))


@BY_KIND
def test_every_field_says_its_default(resource: Resource) -> None:
    spec = structural(resource.spec)
    silent = [
        path
        for path, field in fields(spec)
        if not isinstance(field.get("default", {}), dict) and "Defaults to" not in field["description"]
    ]
    assert not silent


@BY_KIND
def test_the_default_of_every_kind_is_what_its_model_builds(resource: Resource) -> None:
    for name, field in resource.spec.model_fields.items():
        if field.default_factory is not None:
            part = structural(resource.spec)["properties"][field.alias or name]
            assert part["default"] == field.get_default(call_default_factory=True).manifest()


@BY_KIND
def test_kubectl_finds_a_kind_by_its_short_name_and_category(resource: Resource) -> None:
    names = render(resource)["spec"]["names"]
    assert names["shortNames"] == [SHORT_NAMES[resource.kind]]
    assert names["categories"] == ["crossfade"]


def test_paths_of_fields_read_like_manifests() -> None:
    assert [path for path, _ in fields(OUTER)] == [
        "inner",
        "inner.size",
        "other",
        "other.size",
        "wait",
        "on",
        "parts",
        "parts[].size",
        "free",
    ]
