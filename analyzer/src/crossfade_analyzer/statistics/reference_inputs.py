"""What reference cases may say: finite numbers, levels inside (0, 1), looks with data in lasting buckets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal

Inputs = dict[str, Any]

_COUNT = re.compile(r"(n|x|observed)(_.*)?")
_LEVEL = re.compile(r"alpha(_one_sided|_two_sided|_opt|_minus)?|beta|power|conf|interval_size")


class Refused(Exception):
    """Inputs that are well formed and yet say too little for a number."""

    def __init__(self, reason: Refusal, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = CannotJudge(reason, sentence, "looks")


def check(inputs: Inputs) -> None:
    """`ValueError` naming the first number that is not finite, or the first error level outside (0, 1), or the first
    count or dispersion that cannot be."""
    for where, name, value in _numbers("inputs", "", inputs):
        if not isfinite(value):
            raise ValueError(f"{where} is {value}: every number must be finite")
        if _LEVEL.fullmatch(name) and not 0 < value < 1:
            raise ValueError(f"{where} is in (0, 1), not {value}")
        if _COUNT.fullmatch(name) and value < 0:
            raise ValueError(f"{where} is a count: not negative, as {value} is")
        if name == "phi" and not value > 0:
            raise ValueError(f"{where} is a dispersion: positive, unlike {value}")


def _numbers(where: str, name: str, value: Any) -> Iterator[tuple[str, str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(f"{where}.{key}", key, inner)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _numbers(f"{where}[{i}]", name, inner)
    elif isinstance(value, int | float):
        yield where, name, value


def looks(inputs: Inputs, key: str, *, arms: int) -> list[Inputs]:
    """The looks of a case, when at least `arms` of the two arms were counted in two or more buckets, always the same.

    `key` names what was counted beside "n" ("n" itself when nothing else was).
    """
    found: list[Inputs] = inputs["looks"]
    sizes = {len(row) for look in found for row in (*look[key], *look["n"])}
    counted = [sum(sum(look["n"][arm]) for look in found) for arm in (0, 1)]
    if len(sizes) > 1:
        raise Refused(
            Refusal.BUCKETS_CHANGED,
            f"The number of analysis buckets changed from {min(sizes)} to {max(sizes)}: start a new rollout.",
        )
    if sum(total > 0 for total in counted) < arms:
        raise Refused(Refusal.NO_DATA, f"Control has {counted[0]} and the candidate {counted[1]} requests: no data.")
    if sizes == {1}:
        raise Refused(Refusal.TOO_FEW_BUCKETS, "One analysis bucket shows no variance between buckets: use more.")
    return found


def finite(value: Any) -> Any:
    """`value` with infinite ends as None, which JSON has."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
