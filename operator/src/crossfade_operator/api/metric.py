"""Metric: a data contract for series of one's own, counted by arm and analysis bucket."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from crossfade_operator.api.meta import DNS_LABEL, NOT_BLANK, Column, Owner, Resource, SpecModel, TextFormat
from crossfade_operator.api.metric_status import MetricStatus
from crossfade_operator.api.quantities import Amount, PositiveAmount, PositiveDuration
from crossfade_operator.api.rules import Rule

BUILT_IN = ("error-rate", "latency")
"""Metrics that the router measures: usable by name, without an object."""


class MetricType(StrEnum):
    """What is divided by what."""

    COUNT = "Count"
    MEAN = "Mean"


class Direction(StrEnum):
    """Which way is good."""

    LOWER_IS_BETTER = "LowerIsBetter"
    HIGHER_IS_BETTER = "HigherIsBetter"


Selector = Annotated[
    str,
    TextFormat(
        r"^([a-zA-Z_:][a-zA-Z0-9_:]* *(\{[^\r\n]*\})?|\{[^\r\n]*\})$",
        2048,
        'must be a plain series selector such as recs_empty_results_total{app="recs"}: raw counters are read, so no '
        "rate(), sum(), range, offset or operator",
    ),
]

LabelName = Annotated[
    str,
    TextFormat(
        r"^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$",
        128,
        "must be a Prometheus label name: letters, digits and '_', not starting with a digit or '__'",
    ),
]


HistogramSelector = Annotated[
    str,
    TextFormat(
        r"^[a-zA-Z_:][a-zA-Z0-9_:]* *(\{[^\r\n]*\})?$",
        2048,
        'must be a plain series selector that begins with a name, such as model_seconds_bucket{app="recs"} for a '
        'classic histogram or model_seconds{app="recs"} for a native one',
    ),
]


class PrometheusSource(SpecModel):
    """Two counters in Prometheus, or a histogram and a bound, read as raw samples."""

    RULES = (
        Rule(
            cel="has(self.histogram) == has(self.above) && has(self.numerator) == has(self.denominator) "
            "&& has(self.histogram) != has(self.numerator)",
            message="give either numerator and denominator, or histogram and above",
            holds=lambda source: (
                (source.histogram is None) == (source.above is None)
                and (source.numerator is None) == (source.denominator is None)
                and (source.histogram is None) != (source.numerator is None)
            ),
        ),
        Rule(
            cel="!has(self.numerator) || !has(self.denominator) || self.numerator != self.denominator",
            message="numerator and denominator must differ: their ratio would always be 1",
            holds=lambda source: source.numerator is None or source.numerator != source.denominator,
        ),
    )

    numerator: Selector | None = Field(
        default=None,
        description="Series selector of the counter that is divided: the events of a Count, the sum of a Mean.",
    )
    denominator: Selector | None = Field(
        default=None,
        description="Series selector of the counter that divides: the requests of a Count, the count of a Mean.",
    )
    histogram: HistogramSelector | None = Field(
        default=None,
        description="Instead of two counters: series selector of a histogram, whose observations above `above` are the "
        "events of a Count. `<name>_bucket` is a classic histogram, any other name a native one.",
    )
    above: PositiveAmount | None = Field(
        default=None,
        description="The bound of a bucket, in the unit of what is observed: what lies above it counts as an event, "
        'such as answers slower than "0.25" seconds.',
    )


class Labels(SpecModel):
    """The labels by which the series tell arms and analysis buckets apart."""

    RULES = (
        Rule(
            cel="self.arm != self.bucket",
            message="arm and bucket must be two labels: the series have to tell both apart",
            holds=lambda labels: labels.arm != labels.bucket,
        ),
    )

    arm: LabelName = Field(default="arm", description="Label with the value of the request header x-arm.")
    bucket: LabelName = Field(default="abucket", description="Label with the value of the request header x-abucket.")


class MockArm(SpecModel):
    """What a dry run sees in one arm."""

    arm: Annotated[
        str,
        TextFormat(
            DNS_LABEL, 20, "must be a name of at most 20 lower-case letters, digits and '-', starting with a letter"
        ),
    ] = Field(description="Name of the arm; `control` stands for every arm that is not named.")
    value: Amount = Field(description='Its true value: a percentage such as 2%, or a decimal such as "3.5".')


class Mock(SpecModel):
    """Made-up evidence for dry runs: deterministic, and never mixed with real evidence."""

    RULES = (
        Rule(
            cel=None,  # the list is a map by `arm`
            message="name each arm once",
            holds=lambda mock: len({value.arm for value in mock.values}) == len(mock.values),
        ),
    )

    requests_per_minute: StrictInt = Field(
        default=1000, ge=1, le=10**6, description="What the denominator grows by in a minute, in each arm."
    )
    values: Annotated[
        tuple[MockArm, ...],
        Field(
            min_length=1,
            max_length=5,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["arm"]},
        ),
    ] = Field(description="The true value of each arm.")


class MetricSpec(SpecModel):
    """What is measured, where it is, and which way is good."""

    RULES = (
        Rule(
            cel="!has(self.prometheus.histogram) || self.type == 'Count'",
            message="a histogram with a bound gives a Count: for a Mean give its sum as numerator and its count as "
            "denominator",
            holds=lambda metric: metric.prometheus.histogram is None or metric.type is MetricType.COUNT,
            at=".type",
        ),
    )

    owner: Owner | None = Field(default=None, description="The team or person who answers for the series.")
    description: (
        Annotated[str, TextFormat(r"^[^\r\n]*$", 1024, "must be one line of at most 1024 characters")] | None
    ) = Field(default=None, description="What the metric says, for people.")
    type: MetricType = Field(
        description="Count: events out of requests, such as empty results. Mean: a sum over a count, such as tokens "
        "per request."
    )
    direction: Direction = Field(default=Direction.LOWER_IS_BETTER, description="Which way is good.")
    unit: (
        Annotated[
            str, TextFormat(rf"^{NOT_BLANK}+$", 32, "must be a word of at most 32 characters, such as tokens or ms")
        ]
        | None
    ) = Field(default=None, description="Unit of the numerator, for people.")
    prometheus: PrometheusSource = Field(description="Where the series are.")
    labels: Labels = Field(
        default_factory=Labels, description="The labels by which the series tell arms and analysis buckets apart."
    )
    grows_with_time: StrictBool = Field(
        default=False,
        description="The denominator counts users and the numerator keeps growing for each, as plays per user do: such "
        "a metric can only be judged once, at a fixed horizon.",
    )
    mock: Mock | None = Field(default=None, description="What dry runs of experiments see instead of the series.")
    freshness: PositiveDuration = Field(
        default=PositiveDuration("1m"),
        description="The oldest that the last sample may be; older ones are no evidence.",
    )


RESOURCE = Resource(
    kind="Metric",
    plural="metrics",
    short_name="met",
    description="A data contract for counters of one's own: where they are, which labels give arm and analysis bucket, "
    "and which way is good. The router's own error-rate and latency need none.",
    spec=MetricSpec,
    status=MetricStatus,
    rules=(
        Rule(
            cel=f"self.metadata.name.size() <= 63 && self.metadata.name.matches('{DNS_LABEL}')",
            message="the name must be at most 63 lower-case letters, digits and '-', starting with a letter",
        ),
        Rule(
            cel=f"!(self.metadata.name in {list(BUILT_IN)})",
            message="error-rate and latency are measured by the router itself: use them by name, or choose another",
        ),
    ),
    columns=(
        Column("Type", ".spec.type", "What is divided by what."),
        Column("Direction", ".spec.direction", "Which way is good."),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether the data contract holds."),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why."),
        Column("Owner", ".spec.owner", "Whom to ask.", wide=True),
        Column("Age", ".metadata.creationTimestamp", "Age of the object.", type="date"),
    ),
)
