"""Shares, durations and decimals as people write them: strings in the API, exact numbers inside, never floats.

Each type is one class: it parses (`Duration("10m")`), compares by value (`60s == 1m`), prints what was written, and
carries the pattern and the rules from which the CRD's schema is made.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from functools import total_ordering
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from crossfade_operator.api.rules import Rule, check

POSITIONS = 1000
"""Positions of a slice ledger: one is 0.1 % of the users."""

_WHOLE = r"(0|[1-9][0-9]{0,5})"
_POSITIVE = r"[1-9][0-9]{0,5}"
_NUMBER_CEL = "double(self.replace('%', ''))"


class Text:
    """A value written as a bounded string. Subclasses set the format and parse it."""

    PATTERN: ClassVar[str]
    MAX_LENGTH: ClassVar[int]
    FORMAT: ClassVar[str]
    """What the string must be, with an example: the message for whoever wrote something else."""
    RULES: ClassVar[tuple[Rule, ...]] = ()
    """What must hold beyond the format. In CEL they see strings of the right format only."""

    @classmethod
    def matching(cls, text: str) -> str:
        """`text` itself; raises ValueError with a sentence when it has another format."""
        if len(text) > cls.MAX_LENGTH or not re.fullmatch(cls.PATTERN, text):
            raise ValueError(f"{cls.FORMAT}, not {text[:64]!r}")
        return text

    @classmethod
    def validate(cls, value: object) -> Self:
        """From a string, or from another quantity by what was written; raises ValueError."""
        if isinstance(value, cls) and type(value) is cls:
            return value
        if not isinstance(value, str | Text):
            raise ValueError(f"{cls.FORMAT}, as a string, not {value!r}")  # noqa: TRY004 (pydantic reports ValueError)
        return cls(str(value))  # type: ignore[call-arg]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.validate, serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        matches = f"self.matches('{cls.PATTERN}')".replace("\\", "\\\\")
        rules = [Rule(cel=matches, message=cls.FORMAT)]
        rules += [Rule(cel=f"!{matches} || ({rule.cel})", message=rule.message) for rule in cls.RULES]
        return {
            "type": "string",
            "maxLength": cls.MAX_LENGTH,
            "pattern": cls.PATTERN,
            "x-kubernetes-validations": [rule.as_schema() for rule in rules],
        }


@total_ordering
class Share(Text):
    """A share of a whole, `0%` to `100%`; `fraction` is the exact number, 0 to 1."""

    PATTERN = r"^(100(\.0{1,6})?|(0|[1-9][0-9]?)(\.[0-9]{1,6})?)%$"
    MAX_LENGTH = 11
    FORMAT = "must be a percentage from 0% to 100%, such as 5% or 0.5%"

    def __init__(self, text: str) -> None:
        self._text = self.matching(text)
        self.fraction = Decimal(text[:-1]) / 100
        check(self.RULES, self)

    @classmethod
    def of_positions(cls, positions: int) -> Self:
        """The share that so many of the 1000 positions are: 105 is `10.5%`."""
        whole, tenths = divmod(positions, 10)
        return cls(f"{whole}.{tenths}%" if tenths else f"{whole}%")

    @property
    def positions(self) -> int:
        """How many of the 1000 positions this is; raises ValueError when it is not a multiple of 0.1 %."""
        positions = self.fraction * POSITIONS
        if positions != positions.to_integral_value():
            raise ValueError(f"{self} is finer than 0.1%")
        return int(positions)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Share) and self.fraction == other.fraction

    def __lt__(self, other: Share) -> bool:
        return self.fraction < other.fraction

    def __hash__(self) -> int:
        return hash(self.fraction)


class PositiveShare(Share):
    """A share above 0."""

    FORMAT = "must be a percentage such as 5% or 0.5%"
    RULES = (
        Rule(
            cel=f"{_NUMBER_CEL} > 0.0",
            message="must be above 0%; leave it out if there is to be none",
            holds=lambda share: share.fraction > 0,
        ),
    )


class MinorShare(Share):
    """A share above 0, at most 50 %."""

    FORMAT = "must be a percentage such as 5% or 0.5%"
    RULES = (
        Rule(
            cel=f"{_NUMBER_CEL} > 0.0 && {_NUMBER_CEL} <= 50.0",
            message="must be above 0% and at most 50%",
            holds=lambda share: 0 < share.fraction <= Decimal("0.5"),
        ),
    )


_MULTIPLE_OF_POSITION = Rule(
    cel=r"self.matches('^[0-9]{1,3}(\\.[0-9]0*)?%$')",
    message="must be a multiple of 0.1%, the smallest slice, such as 0.5% or 10%",
    holds=lambda share: share.fraction * POSITIONS % 1 == 0,
)


class GridShare(Share):
    """A share in steps of 0.1 %, `0%` to `100%`."""

    RULES = (_MULTIPLE_OF_POSITION,)


class SliceShare(Share):
    """A slice of the users: above 0, at most 95 %, in steps of 0.1 %."""

    FORMAT = "must be a percentage such as 10% or 0.5%"
    RULES = (
        _MULTIPLE_OF_POSITION,
        Rule(
            cel=f"{_NUMBER_CEL} > 0.0",
            message="must be above 0%: give the slice some users, 0.1% or more",
            holds=lambda share: share.fraction > 0,
        ),
        Rule(
            cel=f"{_NUMBER_CEL} <= 95.0",
            message="must be at most 95%: the others are what it is compared with",
            holds=lambda share: share.fraction <= Decimal("0.95"),
        ),
    )


_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Duration(Text, timedelta):
    """A time span such as `10m`: a `timedelta` that prints as it was written."""

    PATTERN = rf"^{_WHOLE}(ms|s|m|h|d)$"
    MAX_LENGTH = 8
    FORMAT = "must be a duration: a whole number and one of ms, s, m, h, d, such as 500ms, 30s or 10m"

    _text: str

    def __new__(cls, text: str) -> Self:
        number, unit = cls.matching(text).rstrip("mshd"), text.lstrip("0123456789")
        duration = super().__new__(cls, **{_UNITS[unit]: int(number)})
        duration._text = text
        check(cls.RULES, duration)
        return duration

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._text,)


class PositiveDuration(Duration):
    """A time span above zero."""

    PATTERN = rf"^{_POSITIVE}(ms|s|m|h|d)$"
    FORMAT = "must be a duration above 0: a whole number and one of ms, s, m, h, d, such as 500ms, 30s or 10m"


class Timeout(PositiveDuration):
    """A time span above zero, in hours at the most, so that rules can compare two of them."""

    PATTERN = rf"^{_POSITIVE}(ms|s|m|h)$"
    FORMAT = "must be a duration above 0: a whole number and one of ms, s, m, h, such as 500ms, 30s or 10m"


class Interval(Timeout):
    """The time between two looks at the evidence, `5s` to `1h`."""

    RULES = (
        Rule(
            cel="duration(self) >= duration('5s') && duration(self) <= duration('1h')",
            message="must be from 5s to 1h: metrics are scraped every few seconds, and harm must be found in time",
            holds=lambda interval: timedelta(seconds=5) <= interval <= timedelta(hours=1),
        ),
    )


class LatencyBound(PositiveDuration):
    """A bound of the router's latency counters; what was written is also the counters' label `bound`."""

    PATTERN = rf"^{_POSITIVE}(ms|s)$"
    FORMAT = "must be a duration above 0 in ms or s, such as 25ms or 1s"


class Probability(Text, Decimal):
    """A decimal between 0 and 1, both excluded, with at most six places."""

    PATTERN = r"^0\.[0-9]{0,5}[1-9][0-9]{0,5}$"
    MAX_LENGTH = 8
    FORMAT = 'must be a decimal between 0 and 1 with at most six places, in quotes, such as "0.05"'

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, cls.matching(text))


@total_ordering
class Amount(Text):
    """A difference in a metric's own unit: a decimal (`0.25`), or for rates also a percentage (`1%` is 0.01)."""

    PATTERN = r"^((100(\.0{1,6})?|(0|[1-9][0-9]?)(\.[0-9]{1,6})?)%|(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?)$"
    MAX_LENGTH = 19
    FORMAT = 'must be a percentage such as 0.5%, or a decimal in quotes such as "0.005"'

    def __init__(self, text: str) -> None:
        self._text = self.matching(text)
        self.value = Decimal(text[:-1]) / 100 if text.endswith("%") else Decimal(text)
        check(self.RULES, self)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.value == other.value

    def __lt__(self, other: Amount) -> bool:
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)


class PositiveAmount(Amount):
    """A difference above 0."""

    RULES = (
        Rule(
            cel=f"{_NUMBER_CEL} > 0.0",
            message="must be above 0; leave it out if there is to be none",
            holds=lambda amount: amount.value > 0,
        ),
    )
