"""Two decisions compared: what differs, in words, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from crossfade_operator.cli.decisions.view import Decision, Finding, Note
from crossfade_operator.cli.experiments.view import Check
from crossfade_operator.cli.text import percents, short

Topic = tuple[str, tuple[str, ...]]
Item = TypeVar("Item", Finding, Check, Note)


def differences(one: Decision, other: Decision) -> tuple[Topic, ...]:
    """By topic, in the order in which one decides; topics without a difference are left out."""
    topics = (
        ("Subject", _subject(one, other)),
        ("Design and rule", _rule(one, other)),
        ("Evidence", _evidence(one, other)),
        ("Results", _results(one, other)),
        ("Checks", _checks(one, other)),
        ("Reviews", _reviews(one, other)),
        ("Decision", _decision(one, other)),
    )
    return tuple((title, said) for title, found in topics if (said := tuple(found)))


def _change(what: str, one: object, other: object) -> Iterator[str]:
    if one != other:
        yield f"{what}: {_shown(one)} → {_shown(other)}"


def _shown(value: object) -> str:
    return short(value) if isinstance(value, str) and value.startswith("sha256:") else str(value or "none")


def _subject(one: Decision, other: Decision) -> Iterator[str]:
    yield from _change("about", f"{one.kind} {one.subject}", f"{other.kind} {other.subject}")
    yield from _change("arm", one.treatment, other.treatment)
    yield from _change("endpoint", one.endpoint, other.endpoint)
    yield from _change("owner", one.owner, other.owner)
    yield from _change("revision", one.revision, other.revision)
    yield from _change("attempt" if one.of_rollout else "run", one.attempt, other.attempt)
    if one.model != other.model:
        yield from _change("model", one.model, other.model)
    elif one.model and one.revision != other.revision:
        yield "the model is the same; only what does not change its answers differs, such as replicas or labels"


def _rule(one: Decision, other: Decision) -> Iterator[str]:
    yield from _change("rule", one.rule, other.rule)
    yield from _change("design or plan", one.design_hash, other.design_hash)
    for a, b in _pairs(one.results, other.results, _of_finding):
        if a and b:
            yield from _change(f"contract of {_of_finding(a)}", a.revision, b.revision)
            yield from _change(f"role of {_of_finding(a)}", a.role, b.role)
            yield from _change(f"{_of_finding(a)} is held against", a.margin, b.margin)


def _evidence(one: Decision, other: Decision) -> Iterator[str]:
    if one.evidence != other.evidence:
        yield from _change("digest", one.evidence, other.evidence)
        if one.locator == other.locator:
            yield "both are of the same chain: one look, or window, came after the other"
        else:
            yield from _change("chain", one.locator, other.locator)


def _of_finding(finding: Finding) -> str:
    return f"{finding.name} ({finding.treatment})" if finding.treatment else finding.name


def _results(one: Decision, other: Decision) -> Iterator[str]:
    for a, b in _pairs(one.results, other.results, _of_finding):
        if a is None or b is None:
            name = _of_finding(a or b)  # type: ignore[arg-type]
            yield f"{name}: only in {one.name if a else other.name}"
            continue
        yield from _change(f"{_of_finding(a)}, verdict", a.verdict, b.verdict)
        yield from _change(f"{_of_finding(a)}, estimate", _estimate(one, a), _estimate(other, b))


def _estimate(decision: Decision, finding: Finding) -> str:
    """Relative to control, as everywhere."""
    if finding.estimate is None:
        return ""
    shift = 1.0 if decision.of_rollout else 0.0
    ends = [None if end is None else end - shift for end in (finding.lower, finding.upper)]
    middle, *shown = percents(finding.estimate - shift, *(end for end in ends if end is not None), signed=True)
    lower, upper = (shown.pop(0) if end is not None else "open" for end in ends)
    return f"{middle} [{lower}, {upper}]"


def _checks(one: Decision, other: Decision) -> Iterator[str]:
    for a, b in _pairs(one.checks, other.checks, lambda check: check.name):
        if a is None or b is None:
            yield f"{(a or b).name}: only in {one.name if a else other.name}"  # type: ignore[union-attr]
        elif a.passed != b.passed:
            said = (b if a.passed else a).message
            yield f"{a.name}: {_passed(a)} → {_passed(b)}" + (f" ({said})" if said else "")


def _passed(check: Check) -> str:
    return "passed" if check.passed else "failed" if check.blocking else "warned"


def _reviews(one: Decision, other: Decision) -> Iterator[str]:
    for a, b in _pairs(one.reviews, other.reviews, lambda note: note.reviewer):
        if a is None or b is None:
            note = a or b
            where = one.name if a else other.name
            yield f"{note.verdict} by {note.reviewer}: only in {where}"  # type: ignore[union-attr]
        else:
            yield from _change(f"{a.reviewer}", a.verdict, b.verdict)


def _decision(one: Decision, other: Decision) -> Iterator[str]:
    yield from _change("action", one.action, other.action)
    yield from _change("recommendation", one.recommendation, other.recommendation)
    yield from _change("basis", one.basis, other.basis)
    yield from _change("by", one.actor, other.actor)
    yield from _change("reason", one.reason, other.reason)
    yield from _change("outcome", one.outcome, other.outcome)
    yield from _change("step", one.step, other.step)
    yield from _change("slice", one.slice, other.slice)
    yield from _change("rationale", one.rationale, other.rationale)
    yield from _change("route before", _generation(one), _generation(other))


def _generation(decision: Decision) -> str:
    return f"generation {decision.before.generation}" if decision.before else ""


def _pairs(
    ones: Sequence[Item], others: Sequence[Item], key: Callable[[Item], str]
) -> Iterator[tuple[Item | None, Item | None]]:
    """Entries of both sides that belong together, in the order of the first; the last one counts of several."""
    left: dict[str, Item] = {key(item): item for item in ones}
    right: dict[str, Item] = {key(item): item for item in others}
    for name in dict.fromkeys((*left, *right)):
        yield left.get(name), right.get(name)
