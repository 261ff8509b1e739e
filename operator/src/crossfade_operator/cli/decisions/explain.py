"""A Decision told from beginning to end, for people who know neither statistics nor this software."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossfade_operator.cli.decisions import sentences, words
from crossfade_operator.cli.decisions.sentences import Directions
from crossfade_operator.cli.decisions.view import Decision, Note
from crossfade_operator.cli.experiments.render import check_lines
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.text import blocks, item, moment, paragraph, several, short

_MARKS = {"Dissent": ("red", "bold"), "RequestChanges": ("yellow",), "Approve": ("green",)}


def page(decision: Decision, later: tuple[Note, ...], directions: Directions, paint: Paint, wide: int) -> list[str]:
    """The whole record in at most `wide` columns. `later`: reviews of the decision itself, newest last."""
    return blocks(
        (
            [f"{paint(decision.name, 'bold')} · decision in {decision.namespace} on endpoint {decision.endpoint}"],
            _part("What was decided", _decided(decision), paint, wide),
            _part("Why", _why(decision), paint, wide),
            _results(decision, directions, paint, wide),
            _checks(decision, paint, wide),
            _reviews("Reviews that stood", decision.reviews, paint, wide),
            _reviews("Reviews since", later, paint, wide),
            _changes(decision, directions, paint, wide),
            _part("Before and after", _around(decision), paint, wide),
            _verify(decision, paint, wide),
        )
    )


def _part(title: str, said: Iterator[str], paint: Paint, wide: int) -> list[str]:
    lines = [line for text in said for line in paragraph(text, wide)]
    return [paint(title, "bold"), *lines] if lines else []


def _decided(decision: Decision) -> Iterator[str]:
    what = words.done(decision)
    yield f"{what[0].upper()}{what[1:]}."
    yield f"Decided on {moment(decision.at)} {words.basis(decision)}."
    if decision.against:
        yield f"This was {words.against(decision)}."
    if decision.model:
        yield f"The model is {short(decision.model)}: images, commands, environment and volumes."
    if decision.outcome:
        yield f"What it taught: {_outcome(decision.outcome)}."


def _outcome(outcome: str) -> str:
    return {
        "Win": "the treatment is better",
        "RegressionFound": "the treatment does harm, which was found before everyone had it",
        "PoweredNeutral": "the effect looked for is not there, and the experiment was large enough to see it",
        "Invalid": "nothing, for the comparison was not valid",
        "NotReady": "nothing yet, for too little was measured",
    }.get(outcome, outcome)


def _why(decision: Decision) -> Iterator[str]:
    yield words.reason(decision)
    sentence = words.meaning(decision.reason)
    if sentence and sentence != decision.message:
        yield sentence
    if decision.recommendation and not decision.against:
        yield f"The rule {decision.rule} recommended: {decision.recommendation}."
    if decision.rationale:
        yield f"In the words of {decision.actor}: “{decision.rationale}”"


def _results(decision: Decision, directions: Directions, paint: Paint, wide: int) -> list[str]:
    if not decision.results:
        return []
    lines = [paint("What the metrics showed", "bold")]
    for finding in decision.results:
        arm = f", arm {finding.treatment}" if finding.treatment else ""
        lines.append(f"  {paint(finding.name, 'bold')} · {finding.role}{arm} · {finding.verdict}")
        lines += paragraph(sentences.metric(decision, finding, directions), wide, 4)
    return lines


def _checks(decision: Decision, paint: Paint, wide: int) -> list[str]:
    if not decision.checks:
        return []
    return [paint("Whether the comparison can be trusted", "bold"), *check_lines(decision.checks, wide)]


def _reviews(title: str, notes: tuple[Note, ...], paint: Paint, wide: int) -> list[str]:
    if not notes:
        return []
    dissent = sum(note.verdict == "Dissent" for note in notes)
    lines = [paint(title, "bold") + (f" · {several(dissent, 'dissenting voice')}" if dissent else "")]
    for note in notes:
        said = f": “{note.reason}”" if note.reason else ""
        if paint.on:
            lines.append(f"  - {paint(note.verdict, *_MARKS.get(note.verdict, ()))} by {note.reviewer}{said}")
        else:
            lines += item(f"{note.verdict} by {note.reviewer}{said}", wide)
    return lines


def _changes(decision: Decision, directions: Directions, paint: Paint, wide: int) -> list[str]:
    found = sentences.changes(decision, directions)
    if not found.items and not found.notes:
        return []
    lines = [paint("What would have changed it", "bold")]
    if found.items:
        lines += paragraph(found.lead, wide)
        lines += [line for text in found.items for line in item(text, wide)]
    return [*lines, *(line for text in found.notes for line in paragraph(text, wide))]


def _around(decision: Decision) -> Iterator[str]:
    if decision.before:
        carried = f", by decision {decision.before.decision}" if decision.before.decision else ""
        yield f"Before it the route was generation {decision.before.generation}{carried}."
    if decision.supersedes:
        yield f"It replaces decision {decision.supersedes}."
    if decision.revisit_after:
        yield f"Look at it again after {moment(decision.revisit_after)}."
    if decision.expires_at:
        yield f"It opens gates until {moment(decision.expires_at)}."
    if decision.retain_until:
        yield f"The record is kept until {_day(decision.retain_until)} at least."


def _day(time: datetime) -> str:
    return moment(time)[:10]


def _verify(decision: Decision, paint: Paint, wide: int) -> list[str]:
    title = paint("How to check it", "bold")
    if not decision.evidence:
        return [title, *paragraph("It rests on no measured evidence: there is nothing to recompute.", wide)]
    return [
        title,
        *paragraph(f"Evidence {short(decision.evidence)} is kept; recompute everything from it:", wide),
        f"    kubectl crossfade verify decision/{decision.name} -n {decision.namespace}",
    ]
