"""CustomResourceDefinitions from the models: structural schemas with defaults, rules, columns and subresources.

The API server's schemas know less than JSON Schema, and what they do not know they drop in silence. So everything
here is either turned into its structural form or refused with `NotStructural`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from crossfade_operator.api import decision, experiment, metric, modelendpoint, modelrollout, review
from crossfade_operator.api.meta import GROUP, VERSION, Column, Resource
from crossfade_operator.api.rules import Rule

RESOURCES = (
    modelendpoint.RESOURCE,
    modelrollout.RESOURCE,
    experiment.RESOURCE,
    metric.RESOURCE,
    decision.RESOURCE,
    review.RESOURCE,
)

PRESERVE = "x-kubernetes-preserve-unknown-fields"
VALIDATIONS = "x-kubernetes-validations"

KEYWORDS = (
    *("description", "type", "format", "enum", "pattern", "maxLength", "minLength", "minimum", "maximum"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "default", "required"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", PRESERVE, VALIDATIONS),
    *("properties", "items", "additionalProperties"),
)
"""What a structural schema may say here, in the order in which it is written."""

DROPPED = ("title", "examples")
BOUNDS = {
    "string": (("maxLength",), ("enum",)),
    "array": (("maxItems",),),
    "integer": (("minimum", "maximum"), ("format",)),
}
"""What keeps a value of a type finite (any one of these sets): CEL's cost budget is reckoned from it."""


class NotStructural(TypeError):
    """A model says something that the API server would drop or misread: where, and what."""


class StructuralSchema(GenerateJsonSchema):
    """pydantic's schema generator, in the words of the API server."""

    defaults = True

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Optional means absent, never null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Write defaults down; those of whole parts in full, because the rules are checked on them as they stand."""
        inner = self.generate_inner(schema["schema"])
        if not self.defaults or ("default" in schema and schema["default"] is None):
            return inner
        factory = schema.get("default_factory")
        default = self.encode_default(factory() if factory else schema["default"])  # type: ignore[call-arg]
        return {"allOf": [inner], "default": default} if "$ref" in inner else {**inner, "default": default}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Add the rules of the model and of its fields."""
        rendered, cls = super().model_schema(schema), schema["cls"]
        if rendered.pop("additionalProperties", False):
            rendered[PRESERVE] = True
        _add_rules(rendered, getattr(cls, "RULES", ()))
        for name, field in cls.model_fields.items():
            own = rendered["properties"][field.alias or name]
            _add_rules(own, [rule for rule in field.metadata if isinstance(rule, Rule)])
        return rendered

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Leave the order as it is in the models: people read it in `kubectl explain`."""
        return value

    def encode_default(self, dft: Any) -> Any:
        """A default as people would write it."""
        if isinstance(dft, BaseModel):
            return dft.model_dump(by_alias=True, exclude_none=True, mode="json")
        return [self.encode_default(each) for each in dft] if isinstance(dft, tuple) else super().encode_default(dft)


class StatusSchema(StructuralSchema):
    """Without defaults: an empty status stays empty until somebody has looked."""

    defaults = False


def _add_rules(schema: JsonSchemaValue, rules: Any) -> None:
    entries = [rule.as_schema() for rule in rules if rule.cel is not None]
    if entries:
        schema[VALIDATIONS] = [*schema.get(VALIDATIONS, []), *entries]


def structural(model: type[BaseModel], generator: type[StructuralSchema] = StructuralSchema) -> dict[str, Any]:
    """The structural schema of a model; raises NotStructural."""
    schema = model.model_json_schema(schema_generator=generator)
    return _clean(schema, schema.get("$defs", {}), model.__name__)


def _clean(schema: JsonSchemaValue, definitions: Mapping[str, JsonSchemaValue], at: str) -> dict[str, Any]:
    flat = _inlined(schema, definitions)
    if flat.get("additionalProperties") is True:
        del flat["additionalProperties"]
        flat[PRESERVE] = True
    unknown = set(flat) - set(KEYWORDS)
    if unknown or "type" not in flat:
        raise NotStructural(
            f"{at}: {sorted(unknown) or 'a value without a type'} cannot be said in a structural schema"
        )
    _refuse_unbounded(flat, at)
    if "properties" in flat:
        flat["properties"] = {
            name: _described(_clean(each, definitions, f"{at}.{name}"), f"{at}.{name}")
            for name, each in flat["properties"].items()
        }
    for inner in ("items", "additionalProperties"):
        if inner in flat:
            flat[inner] = _clean(flat[inner], definitions, f"{at}[]")
    return {key: flat[key] for key in KEYWORDS if key in flat}


def _inlined(schema: JsonSchemaValue, definitions: Mapping[str, JsonSchemaValue]) -> dict[str, Any]:
    """Without references: what stands beside one wins over what it refers to, and rules add up."""
    flat = {key: value for key, value in schema.items() if key not in (*DROPPED, "$defs", "$ref", "allOf")}
    for part in [*schema.get("allOf", ()), *([{"$ref": schema["$ref"]}] if "$ref" in schema else ())]:
        base = _inlined(definitions[part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part, definitions)
        rules = [*base.get(VALIDATIONS, []), *flat.get(VALIDATIONS, [])]
        flat = {**base, **flat, **({VALIDATIONS: rules} if rules else {})}
    return flat


def _refuse_unbounded(schema: Mapping[str, Any], at: str) -> None:
    bounds = BOUNDS.get(schema["type"])
    if bounds and not any(set(each) <= set(schema) for each in bounds):
        raise NotStructural(f"{at}: a {schema['type']} without a bound; give it {' or '.join(bounds[0])}")


def _described(schema: dict[str, Any], at: str) -> dict[str, Any]:
    """With the default said in the description, as `kubectl explain` does not show it otherwise."""
    description = schema.get("description")
    if not description or not description.endswith("."):
        raise NotStructural(f"{at}: a field needs a description that ends in a full stop")
    if isinstance(schema.get("default", {}), dict):  # said at each of its fields
        return schema
    return {**schema, "description": f"{description} Defaults to {_written(schema['default'], schema)}."}


def _written(value: Any, schema: Mapping[str, Any]) -> str:
    """A default in YAML's flow style as one would type it: without what is itself a default."""
    if isinstance(value, list):
        return f"[{', '.join(_written(each, schema['items']) for each in value)}]"
    if isinstance(value, dict):
        parts = [(key, each, schema["properties"][key]) for key, each in value.items()]
        typed = [f"{key}: {_written(each, part)}" for key, each, part in parts if each != part.get("default")]
        return f"{{{', '.join(typed)}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) or '""'


def _column(column: Column) -> dict[str, Any]:
    rendered = {"name": column.name, "type": column.type, "jsonPath": column.path, "description": column.description}
    return rendered | ({"priority": 1} if column.wide else {})


def _subresources(resource: Resource) -> dict[str, Any]:
    scale = resource.scale
    if resource.status is None:
        return {}
    if scale is None:
        return {"status": {}}
    paths = {
        "specReplicasPath": scale.spec_replicas,
        "statusReplicasPath": scale.status_replicas,
        "labelSelectorPath": scale.selector,
    }
    return {"status": {}, "scale": paths}


def _root(resource: Resource) -> dict[str, Any]:
    status = {"status": structural(resource.status, StatusSchema)} if resource.status else {}
    schema: dict[str, Any] = {
        "description": resource.description,
        "type": "object",
        "required": ["spec"],
        VALIDATIONS: [rule.as_schema() for rule in resource.rules],
        "properties": {
            "apiVersion": {"description": f"Always {GROUP}/{VERSION}.", "type": "string"},
            "kind": {"description": f"Always {resource.kind}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(resource.spec),
            **status,
        },
    }
    return schema


def render(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind; raises NotStructural."""
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in resource.columns],
        "subresources": _subresources(resource),
        "schema": {"openAPIV3Schema": _root(resource)},
    }
    if resource.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in resource.selectable]
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": [resource.short_name],
        "categories": ["crossfade"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field below a schema with its path, such as `strategy.steps[].slice`, parents first."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, field
        yield from fields(field, here)
        yield from fields(field.get("items", {}), f"{here}[]")
