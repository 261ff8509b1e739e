"""A rule of the API, said twice: in CEL for the API server, in Python for whoever builds objects by hand.

Both stand side by side next to the model they guard; `tests/integration/api` shows that they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What must hold of a value, and the sentence for who broke it: what is wrong and what to do.

    `cel` sees the value as `self`; it is None where the structural schema already says it. `holds` gets the parsed
    value; it is None for rules that compare with the object before (`oldSelf`), which only the API server can see.
    `at` is the field the message points at, such as `.steps`.
    """

    cel: str | None
    message: str
    holds: Callable[[Any], bool] | None = None
    at: str | None = None

    def as_schema(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        if self.cel is None:
            raise TypeError(f"no CEL for {self.message!r}")
        entry = {"rule": self.cel, "message": self.message}
        if self.at:
            entry["fieldPath"] = self.at
        return entry


def check(rules: Iterable[Rule], value: Any) -> None:
    """Raise ValueError with the sentences of all rules that `value` breaks."""
    broken = [rule.message for rule in rules if rule.holds is not None and not rule.holds(value)]
    if broken:
        raise ValueError("; ".join(broken))


def unchangeable(message: str) -> Rule:
    """A field that keeps the value it was created with."""
    return Rule(cel="self == oldSelf", message=message)


def strictly_increasing(values: str, *, but_for: str | None = None) -> str:
    """CEL for a list that strictly increases, but for leading values equal to `but_for`.

    `values` must be a `map` of a bounded list, without a filter: only then does the API server know what it costs. The
    list of one around it makes it be evaluated once.
    """
    exempt = f"v == {but_for} || " if but_for else ""
    return f"[{values}].all(l, l.isSorted() && l.all(v, {exempt}l.indexOf(v) == l.lastIndexOf(v)))"
