"""The status of a Metric: whether its data contract holds."""

from __future__ import annotations

from pydantic import Field

from crossfade_operator.api.meta import Conditions, ShortText, StatusModel, Timestamp, Whole


class MetricStatus(StatusModel):
    """What the analyzer found when it last looked at the metric's series."""

    observed_generation: Whole = Field(default=0, description="The metadata.generation that was looked at.")
    revision: ShortText | None = Field(default=None, description="Hash of the spec: the version of the contract.")
    checked_at: Timestamp | None = Field(default=None, description="When the series were last looked at.")
    conditions: Conditions = ()
