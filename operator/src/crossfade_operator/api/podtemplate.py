"""The pod template of a rollout: kept as written, and looked at only where routing depends on it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, StrictInt, StringConstraints, model_serializer

from crossfade_operator.api.meta import ApiModel
from crossfade_operator.api.rules import Rule

HTTP_PORT = "http"
GRPC_PORT = "grpc"
OUR_LABELS = "crossfade.dev/"
MANAGED_BY = "app.kubernetes.io/managed-by"

_TIMES_NAMED = (
    "self.spec.containers.map(c, has(c.ports) ? c.ports.filter(p, has(p.name) && p.name == '{name}').size() : 0).sum()"
)


class Preserved(ApiModel):
    """A part of the pod template: what is not declared here is kept, and checked by the API server's own rules."""

    model_config = ConfigDict(extra="allow", alias_generator=None)

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        """Declared and other fields alike, also null, and nothing that was not there."""
        declared = {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
        return {**declared, **(self.model_extra or {})}


class ContainerPort(Preserved):
    """A port of a container."""

    name: Annotated[str, StringConstraints(max_length=15)] | None = Field(
        default=None,
        description='Name of the port. "http" is the one that is served; "grpc" gets gRPC requests.',
    )
    containerPort: StrictInt = Field(ge=1, le=65535, description="Number of the port.")  # noqa: N815


class Container(Preserved):
    """A container of the pod."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)] = Field(description="Name of the container.")
    ports: tuple[ContainerPort, ...] | None = Field(
        default=None, max_length=20, description="Ports; over all containers exactly one is named http."
    )


class PodSpec(Preserved):
    """The pods' specification, as in a Deployment."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=None,  # the list is a map by `name`
            message="give each container a name of its own",
            holds=lambda pod: len({container.name for container in pod.containers}) == len(pod.containers),
        ),
    )

    containers: tuple[Container, ...] = Field(
        min_length=1,
        max_length=20,
        description="Containers of the pod.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )


class PodMetadata(Preserved):
    """Labels and annotations of the pods."""

    labels: Annotated[dict[str, Annotated[str, StringConstraints(max_length=63)]], Field(max_length=64)] | None = Field(
        default=None, description="Labels of the pods; those of Crossfade's own are refused."
    )


def _ports_named(template: PodTemplate, name: str) -> list[int]:
    ports = (port for container in template.spec.containers for port in container.ports or ())
    return [port.containerPort for port in ports if port.name == name]


class PodTemplate(Preserved):
    """A PodTemplateSpec. Editing it starts a rollout."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"{_TIMES_NAMED.format(name=HTTP_PORT)} == 1",
            message="name exactly one container port http: it is the one that users' requests are sent to",
            holds=lambda template: len(_ports_named(template, HTTP_PORT)) == 1,
            at=".spec.containers",
        ),
        Rule(
            cel=f"{_TIMES_NAMED.format(name=GRPC_PORT)} <= 1",
            message="name at most one container port grpc: it is the one that gRPC requests are sent to",
            holds=lambda template: len(_ports_named(template, GRPC_PORT)) <= 1,
            at=".spec.containers",
        ),
        Rule(
            cel="!has(self.metadata) || !has(self.metadata.labels)"
            f" || self.metadata.labels.all(l, !l.startsWith('{OUR_LABELS}') && l != '{MANAGED_BY}')",
            message=f"remove the labels {OUR_LABELS}* and {MANAGED_BY} from the template: Crossfade sets them itself",
            holds=lambda template: (
                not any(
                    label.startswith(OUR_LABELS) or label == MANAGED_BY
                    for label in (template.metadata and template.metadata.labels) or ()
                )
            ),
            at=".metadata",
        ),
    )

    metadata: PodMetadata | None = Field(default=None, description="Labels and annotations of the pods.")
    spec: PodSpec = Field(description="The pods' specification, as in a Deployment.")

    @property
    def http_port(self) -> int:
        """The port that users' requests are sent to."""
        return _ports_named(self, HTTP_PORT)[0]

    @property
    def grpc_port(self) -> int | None:
        """The port that gRPC requests are sent to, if it is another one."""
        ports = _ports_named(self, GRPC_PORT)
        return ports[0] if ports else None
