"""ModelEndpoint: the durable address of a model, independent of any version."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StrictInt

from crossfade_operator.api.meta import (
    CHILDREN_NAMES,
    NOT_BLANK,
    Column,
    MetricName,
    Owner,
    Resource,
    Scale,
    SpecModel,
    TextFormat,
    WrittenTime,
)
from crossfade_operator.api.modelendpoint_status import ModelEndpointStatus
from crossfade_operator.api.quantities import Duration, GridShare, LatencyBound, PositiveDuration, SliceShare, Timeout
from crossfade_operator.api.rules import Rule, strictly_increasing, unchangeable

INTERNAL_HEADERS = r"^(x-arm|x-abucket|x-crossfade-.*|x-envoy-.*)$"
_NOT_INTERNAL = (
    "must be a header of your own: x-arm, x-abucket, x-crossfade-* and x-envoy-* are the router's, "
    "which strips them from users' requests"
)

Header = Annotated[
    str, TextFormat(r"^[A-Za-z0-9][A-Za-z0-9_-]*$", 64, "must be a header name: letters, digits, '-' and '_'")
]
Cookie = Annotated[
    str, TextFormat(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", 64, "must be a cookie name: letters, digits, '-', '_' and '.'")
]


def _own(header: str | None) -> bool:
    return header is None or not re.fullmatch(INTERNAL_HEADERS, header.lower())


class RouterType(StrEnum):
    """What routes the requests."""

    ENVOY = "Envoy"


class Testers(StrEnum):
    """Whether a port exists on which a header forces an arm."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Unit(SpecModel):
    """What is assigned: whoever shares this value always gets the same model."""

    RULES = (
        Rule(
            cel="has(self.header) != has(self.cookie)",
            message="set exactly one of header and cookie: it names the user who is assigned",
            holds=lambda unit: (unit.header is None) != (unit.cookie is None),
        ),
        Rule(
            cel=f"!has(self.header) || !self.header.lowerAscii().matches('{INTERNAL_HEADERS}')",
            message=_NOT_INTERNAL,
            holds=lambda unit: _own(unit.header),
            at=".header",
        ),
    )

    header: Header | None = Field(
        default=None,
        description="The request header that holds the user's id. A request without it goes to the stable revision "
        "and counts as nobody's.",
    )
    cookie: Cookie | None = Field(
        default=None,
        description="The cookie that holds the user's id. The router issues one to whoever has none.",
    )


LatencyBounds = Annotated[
    tuple[LatencyBound, ...],
    Field(min_length=1, max_length=12, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
]

DEFAULT_BOUNDS = tuple(
    LatencyBound(text) for text in ("5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2500ms")
)


class Router(SpecModel):
    """The proxy in front of the model servers."""

    RULES = (
        Rule(
            cel="self.latencyBounds.exists(b, !b.matches('^[0-9]{1,6}(ms|s)$'))"
            " || " + strictly_increasing("self.latencyBounds.map(b, duration(b))"),
            message="latencyBounds must increase strictly, such as [10ms, 100ms, 1s]",
            holds=lambda router: sorted(set(router.latency_bounds)) == list(router.latency_bounds),
            at=".latencyBounds",
        ),
        Rule(
            cel="!has(self.tryTimeout) || [self.tryTimeout, self.requestTimeout].exists(t,"
            " !t.matches('^[0-9]{1,6}(ms|s|m|h)$')) || duration(self.tryTimeout) <= duration(self.requestTimeout)",
            message="tryTimeout must not be longer than requestTimeout: all tries of a request have to fit into it",
            holds=lambda router: router.try_timeout is None or router.try_timeout <= router.request_timeout,
            at=".tryTimeout",
        ),
        Rule(
            cel=f"!has(self.rewardHeader) || !self.rewardHeader.lowerAscii().matches('{INTERNAL_HEADERS}')",
            message=_NOT_INTERNAL,
            holds=lambda router: _own(router.reward_header),
            at=".rewardHeader",
        ),
    )

    type: RouterType = Field(default=RouterType.ENVOY, description="What routes the requests.")
    replicas: StrictInt = Field(default=2, ge=1, le=20, description="Router pods.")
    image: Annotated[str, TextFormat(rf"^{NOT_BLANK}+$", 512, "must be an image reference, without blanks")] | None = (
        Field(default=None, description="Image of the router, if not the one that the controller was installed with.")
    )
    resources: dict[str, Any] | None = Field(
        default=None, description="Requests and limits of a router pod's container, as in a pod."
    )
    latency_bounds: LatencyBounds = Field(
        default=DEFAULT_BOUNDS,
        description="Response times above which the router counts a request as slow, one counter each, in ms or s, "
        "strictly increasing. Latency is judged by the bounds that come close to the stable revision's p50, p90 and "
        "p99.",
    )
    request_timeout: Timeout = Field(
        default=Timeout("60s"), description="The longest a request may take, all tries together."
    )
    try_timeout: Timeout | None = Field(
        default=None, description="The longest one try may take before another pod is asked. Without it: no such limit."
    )
    health_path: (
        Annotated[str, TextFormat(r"^/[!-~]*$", 256, "must be an absolute path, such as /v2/health/ready")] | None
    ) = Field(
        default=None,
        description="Path of an active HTTP health check of the model servers. Without it a TCP connection is tried.",
    )
    reward_header: Header | None = Field(
        default=None,
        description="Response header with a number, the reward of this answer, which the router sums up by arm.",
    )
    testers: Testers = Field(
        default=Testers.DISABLED,
        description="Whether a second port and Service exist on which the header x-crossfade-arm forces an arm.",
    )


class Holdout(SpecModel):
    """Users who stay on the revision that was stable when the holdout began, to measure what all changes add up to."""

    slice: SliceShare = Field(description="The share of the users, a multiple of 0.1%, at most 95%.")
    until: WrittenTime = Field(description="When it ends and its users get the stable revision, RFC 3339.")


class Requirement(StrEnum):
    """Whether something is needed."""

    REQUIRED = "Required"
    NOT_REQUIRED = "NotRequired"


class OwnApproval(StrEnum):
    """Whether the approval of the owner of what is reviewed counts."""

    COUNTS = "Counts"
    DOES_NOT_COUNT = "DoesNotCount"


class Gates(SpecModel):
    """What a candidate needs, besides its own evidence, to hold more than `unprovenSlice`."""

    experiment: Requirement = Field(
        default=Requirement.NOT_REQUIRED,
        description="Whether a Ship decision of an experiment on this very model is needed.",
    )
    approvals: StrictInt = Field(default=0, ge=0, le=10, description="People who must approve the revision by Review.")


class EvaluationPolicy(SpecModel):
    """What every model of this endpoint goes through, whoever brings it."""

    RULES = (
        Rule(
            cel=None,  # the list is a set
            message="name each guardrail once",
            holds=lambda policy: len(set(policy.guardrails)) == len(policy.guardrails),
        ),
    )

    mirror: Requirement = Field(
        default=Requirement.NOT_REQUIRED,
        description="Whether a rollout must begin with a mirror step: copies of requests before the first users.",
    )
    guardrails: Annotated[
        tuple[MetricName, ...], Field(max_length=20, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(
        default=(),
        description="Metrics that every rollout must have as a Guardrail, and every experiment as that or as Success.",
    )
    min_hold: Duration = Field(
        default=Duration("0s"), description="The least that a rollout's steps with users hold, all together."
    )
    min_runtime: Duration = Field(
        default=Duration("0s"), description="The least `minRuntime` of an experiment, an A/A test apart."
    )


class Reviews(SpecModel):
    """How experiments are reviewed, and what it takes to act against a recommendation."""

    approvals: StrictInt = Field(
        default=0, ge=0, le=10, description="People who must approve a design before its experiment starts."
    )
    own_approval: OwnApproval = Field(
        default=OwnApproval.DOES_NOT_COUNT, description="Whether the approval of the owner or decision maker counts."
    )
    override_approvals: StrictInt = Field(
        default=1,
        ge=1,
        le=10,
        description="Other people who must approve, with a reason, what is done against the recommendation.",
    )
    deliberation: Duration = Field(
        default=Duration("0s"),
        description="The shortest time between a result and its Ship, in which people may disagree.",
    )


class Policy(SpecModel):
    """Limits that no rollout or experiment of this endpoint may pass."""

    stable_floor: GridShare = Field(
        default=GridShare("5%"),
        description="The share of the users that always stays on the stable revision, a multiple of 0.1%.",
    )
    max_experiment_slice: SliceShare = Field(
        default=SliceShare("50%"), description="The share of the users that all experiments together may hold."
    )
    cool_down: Duration = Field(
        default=Duration("24h"),
        description="How long users of an experiment's arms rest, on the stable revision, before another experiment "
        "may have them.",
    )
    unproven_slice: SliceShare = Field(
        default=SliceShare("5%"), description="The most that a candidate may hold before its gates are met."
    )
    gates: Gates = Field(default_factory=Gates, description="What every candidate needs to hold more than that.")
    evaluation: EvaluationPolicy = Field(
        default_factory=EvaluationPolicy,
        description="What every rollout and experiment must go through: one that does less does not start.",
    )
    reviews: Reviews = Field(default_factory=Reviews, description="How experiments and overrides are reviewed.")
    ship_validity: PositiveDuration = Field(
        default=PositiveDuration("30d"), description="How long the Ship decision of an experiment opens gates."
    )
    retention: PositiveDuration = Field(
        default=PositiveDuration("730d"), description="How long Decisions and Reviews must be kept."
    )


class ModelEndpointSpec(SpecModel):
    """Who is assigned, by what, and by which router."""

    RULES = (
        Rule(
            cel="has(self.salt) == has(oldSelf.salt) && (!has(self.salt) || self.salt == oldSelf.salt)",
            message="salt cannot be changed, added or removed: it would move every user to another slice; "
            "create a new ModelEndpoint instead",
        ),
    )

    owner: Owner | None = Field(default=None, description="The team or person to ask about this endpoint.")
    unit: Annotated[
        Unit,
        unchangeable(
            "unit cannot be changed: it would move every user to another slice; create a new ModelEndpoint instead"
        ),
    ] = Field(description="What is assigned to a model: usually the user. Cannot be changed.")
    salt: (
        Annotated[str, TextFormat(r"^[A-Za-z0-9._-]+$", 64, "must be 1 to 64 letters, digits, '.', '_' or '-'")] | None
    ) = Field(
        default=None,
        description="Hashed with the unit to place it; endpoints with the same salt place a user alike. "
        "Without it: the object's uid. Cannot be changed, added or removed.",
    )
    router: Router = Field(default_factory=Router, description="The proxy in front of the model servers.")
    holdout: Holdout | None = Field(
        default=None, description="Users kept on the revision that was stable when the holdout began."
    )
    policy: Policy = Field(default_factory=Policy, description="Limits that no rollout or experiment may pass.")


RESOURCE = Resource(
    kind="ModelEndpoint",
    plural="modelendpoints",
    short_name="mep",
    description="The durable address of a model, independent of any version: who is assigned, by which router, and "
    "who holds which users now.",
    spec=ModelEndpointSpec,
    status=ModelEndpointStatus,
    rules=(
        CHILDREN_NAMES,
        Rule(
            cel="!self.metadata.name.endsWith('-testers')",
            message="the name must not end in -testers: another endpoint's Service for testers may be called so",
        ),
    ),
    columns=(
        Column("Stable", ".status.stableRevision", "Revision that users get unless they are in a slice."),
        Column("Candidate", ".status.candidateRevision", "Revision that is being tried on a slice."),
        Column("Slice", ".status.slice", "The candidate's share of the users."),
        Column("Routers", ".status.readyReplicas", "Router pods that are ready.", type="integer"),
        Column("Generation", ".status.route.generation", "Generation of the routing table.", type="integer"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether users are served."),
        Column("Age", ".metadata.creationTimestamp", "Age of the object.", type="date"),
    ),
    scale=Scale(spec_replicas=".spec.router.replicas"),
)
