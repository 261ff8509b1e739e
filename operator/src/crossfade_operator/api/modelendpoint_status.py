"""The status of a ModelEndpoint: its route and the ledger of who has which positions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from crossfade_operator.api.meta import Conditions, Digest, Message, Revision, ShortText, StatusModel, Timestamp, Whole
from crossfade_operator.api.rules import Rule

Position = Annotated[StrictInt, Field(ge=0, le=999)]


class LedgerArm(StrEnum):
    """What the holder of positions does with them."""

    CANDIDATE = "candidate"
    HOLDOUT = "holdout"
    MIRROR = "mirror"
    EXPERIMENT = "experiment"
    COOLDOWN = "cooldown"


class PositionRange(StatusModel):
    """Positions from `first` to `last`, both included."""

    RULES = (
        Rule(
            cel="self.from <= self.to",
            message="a range must not end before it begins",
            holds=lambda positions: positions.first <= positions.last,
        ),
    )

    first: Position = Field(alias="from", description="First position, 0 to 999.")
    last: Position = Field(alias="to", description="Last position, included, 0 to 999.")


class LedgerEntry(StatusModel):
    """Positions of one holder. Each position is 0.1 % of the users."""

    holder: ShortText = Field(description="Who holds them: `ModelRollout/name`, `Experiment/name` or `Holdout`.")
    arm: LedgerArm = Field(description="What for. Users whose positions cool down get the stable revision.")
    label: ShortText | None = Field(
        default=None, description="The experiment's arm, as the router writes it into x-arm: `<experiment>.<arm>`."
    )
    request: ShortText | None = Field(default=None, description="The experiment's request that this answers.")
    revision: Revision | None = Field(
        default=None, description="The revision that gets their requests; none while they cool down."
    )
    positions: Whole = Field(le=1000, description="How many, of 1000.")
    ranges: tuple[PositionRange, ...] = Field(max_length=1000, description="Which.")
    generation: Whole = Field(default=0, description="Generation of the route since which they have them.")
    until: Timestamp | None = Field(default=None, description="When positions that cool down are free again.")


class RefusedRequest(StatusModel):
    """A slice that an experiment asked for and did not get."""

    holder: ShortText = Field(description="Who asked.")
    request: ShortText = Field(description="Which request.")
    message: Message = Field(description="Why: who holds what, and how much is free.")


class Route(StatusModel):
    """The routing table in force and whether the routers run it."""

    generation: Whole = Field(description="Counts up with every table.")
    digest: Digest = Field(description="Digest of the table's content.")
    decision: ShortText = Field(description="Name of the decision that it carries out.")
    revisions: tuple[Revision, ...] = Field(
        default=(), max_length=64, description="The revisions that the table knows: nobody is routed to another one."
    )
    written_at: Timestamp = Field(description="When it was written.")
    confirmed_at: Timestamp | None = Field(default=None, description="When every ready router had confirmed it.")
    confirmed_generation: Whole = Field(
        default=0, description="The last generation that every ready router has confirmed; 0 before the first."
    )


class ModelEndpointStatus(StatusModel):
    """What the serving controller knows of an endpoint."""

    observed_generation: Whole = Field(default=0, description="The metadata.generation that was acted on.")
    salt: ShortText | None = Field(default=None, description="The salt in use.")
    address: ShortText | None = Field(default=None, description="URL of the endpoint inside the cluster.")
    rollout: ShortText | None = Field(default=None, description="The ModelRollout that holds the endpoint.")
    stable_revision: Revision | None = Field(default=None, description="The revision users get unless in a slice.")
    candidate_revision: Revision | None = Field(default=None, description="The revision being tried on a slice.")
    route: Route | None = Field(default=None, description="The routing table in force.")
    ledger: tuple[LedgerEntry, ...] = Field(default=(), max_length=128, description="Who has which positions.")
    refused_requests: tuple[RefusedRequest, ...] = Field(
        default=(), max_length=64, description="Slices that experiments asked for and did not get."
    )
    slice: ShortText | None = Field(default=None, description="The candidate's share of the users, such as 10%.")
    replicas: Whole = Field(default=0, description="Router pods.")
    ready_replicas: Whole = Field(default=0, description="Router pods that are ready.")
    selector: ShortText | None = Field(default=None, description="Label selector of the router pods.")
    conditions: Conditions = ()
