"""What each metric showed, in words that need no statistics, and what would have changed the decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crossfade_operator.cli.decisions import words
from crossfade_operator.cli.decisions.bounds import Effect, allowed_of, effect_of
from crossfade_operator.cli.decisions.view import BY_PEOPLE, Decision, Finding
from crossfade_operator.cli.text import listed, percent

Directions = Mapping[str, str]
"""LowerIsBetter or HigherIsBetter by the name of a Metric."""

_PROVEN = ("Proven", "NonInferior")
_WORSE = ("Harmful", "Inferior")


def metric(decision: Decision, finding: Finding, directions: Directions) -> str:
    """One metric: what was measured, what was asked of it, and how that came out."""
    effect = effect_of(decision, finding, directions.get(finding.name))
    theirs = words.compared(decision, finding)[1]
    return f"{_measured(decision, finding, effect)} {_asked(finding, effect, theirs)}"


def _measured(decision: Decision, finding: Finding, effect: Effect) -> str:
    ours, theirs = words.compared(decision, finding)
    if effect.estimate is None:
        return f"Nothing could be compared yet between {ours} and {theirs}."
    than = "as" if effect.estimate == 0 else "than"
    said = f"It was {words.size(effect.estimate, effect)} with {ours} {than} with {theirs}"
    between = words.interval(effect)
    return f"{said}; the truth may lie {between}." if between else f"{said}."


def _asked(finding: Finding, effect: Effect, theirs: str) -> str:
    if finding.verdict in ("CannotJudge", "NotYet"):
        return f"No verdict: {finding.message or 'the plan allowed none yet'}."
    if finding.role == "Success":
        return _success(finding, effect)
    if finding.role == "Guardrail":
        return _guardrail(finding, effect, theirs)
    if finding.role == "Quality":
        return f"It must not be shown to differ, either way, and was{'' if finding.verdict == 'Different' else ' not'}."
    return _harm(finding, effect)


def _success(finding: Finding, effect: Effect) -> str:
    harm, shown = effect.most_harm, finding.verdict == "Superior"
    if finding.verdict in _WORSE:
        return "It had to be shown better, and was shown worse."
    if harm is None:
        return f"It had to be shown better, and was{'' if shown else ' not'}."
    end = f"{'even ' if shown else ''}the worst end is {words.points(harm)} {'above' if harm < 0 else 'below'} that"
    return f"It had to be shown better than no difference: {end}, so it {'was' if shown else 'was not'}."


def _guardrail(finding: Finding, effect: Effect, theirs: str) -> str:
    allowed, harm = allowed_of(finding), effect.most_harm
    outcome = f"so it is {'' if finding.verdict in _PROVEN else 'not '}proven to be within"
    worse = " It was shown to be worse." if finding.verdict in _WORSE else ""
    if allowed is None or harm is None:
        margin = words.bound(finding.margin) or "not on record"
        return f"It may not be worse than its margin ({margin}), {outcome}.{worse}"
    same = f", which is {percent(allowed)} of the value with {theirs}" if "absolute" in (finding.margin or "") else ""
    where = f"{words.points(allowed - harm)} {'inside' if harm < allowed else 'beyond'}"
    return (
        f"It may be worse by {words.bound(finding.margin)} at most{same}: the worst end is {where}, {outcome}.{worse}"
    )


def _harm(finding: Finding, effect: Effect) -> str:
    least, tolerated = effect.least_harm, allowed_of(finding) or 0.0
    limit = f"worse by more than {words.bound(finding.margin)}" if finding.margin else "worse"
    shown = finding.verdict in _WORSE
    if least is None:
        end = ""
    elif shown:
        end = f": even the best end is {words.points(least - tolerated)} beyond"
    else:
        end = f": the best end is {words.points(least - tolerated)} away from that"
    return f"It must not be shown to be {limit}, and was{'' if shown else ' not'}{end}."


# What would have changed it --------------------------------------------------------------------------------------


WENT_ON = ("Ship", "Promote", "Advance")


@dataclass(frozen=True)
class Changes:
    """What would have led elsewhere: `lead` says how the `items` belong together; `notes` stand for themselves."""

    lead: str
    items: tuple[str, ...]
    notes: tuple[str, ...]


def changes(decision: Decision, directions: Directions) -> Changes:
    """What would have led to another decision, computed from what is on record."""
    went_on = (decision.recommendation or decision.action) in WENT_ON
    lead = "Any of these would have led to another decision:"
    if not went_on:
        lead = "For another recommendation it would have taken all of these:"
    items = (*_by_metrics(decision, directions), *_by_checks(decision))
    return Changes(lead, items, (*_by_exclusions(decision), *_by_people(decision), *_by_reason(decision)))


def _by_metrics(decision: Decision, directions: Directions) -> Iterator[str]:
    wanted = decision.recommendation or decision.action
    about = [one for one in decision.results if decision.treatment in (None, one.treatment)]
    pairs = [(finding, effect_of(decision, finding, directions.get(finding.name))) for finding in about]
    worse = [pair for pair in pairs if pair[0].verdict in _WORSE]
    if wanted in WENT_ON:
        yield from (_had_it_failed(finding, effect) for finding, effect in pairs)
    elif worse:
        yield from (_had_it_not_been_worse(finding, effect) for finding, effect in worse)
    elif wanted in ("Hold", "Extend", "Discuss", "Abort"):
        yield from (text for finding, effect in pairs if (text := _had_it_passed(finding, effect)))


def _of(finding: Finding) -> str:
    return f"{finding.name} ({finding.treatment})" if finding.treatment else finding.name


def _had_it_failed(finding: Finding, effect: Effect) -> str:
    allowed, name, harm = allowed_of(finding), _of(finding), effect.most_harm
    if finding.role == "Success" and finding.verdict != "Superior":
        return f"{name} shown worse; that it was not shown better did not matter, for another success was."
    if finding.role == "Success":
        away = f"; it was {words.points(harm)} above" if harm is not None else ""
        return f"{name} not shown better: its worst end at no difference or below{away}."
    if finding.role == "Guardrail":
        away = f"; {words.points(allowed - harm)} were left" if allowed is not None and harm is not None else ""
        return f"{name} not proven: its worst end at the margin of {words.bound(finding.margin)} or beyond{away}."
    if finding.role == "Quality":
        return f"{name} shown to differ from control, either way."
    least = effect.least_harm
    away = f"; {words.points(least - (allowed or 0.0))} were left" if least is not None else ""
    return f"{name} shown worse: its whole interval on the bad side{away}."


def _had_it_not_been_worse(finding: Finding, effect: Effect) -> str:
    least = effect.least_harm
    tolerated = allowed_of(finding) or 0.0 if finding.role != "Guardrail" else 0.0
    if least is None:
        return f"{_of(finding)} not shown worse."
    if least <= tolerated:
        return f"{_of(finding)} not shown worse; the interval is for display, and the test that decides is another."
    return f"{_of(finding)} not shown worse: its best end was {words.points(least - tolerated)} on the bad side."


def _had_it_passed(finding: Finding, effect: Effect) -> str | None:
    harm, name = effect.most_harm, _of(finding)
    if finding.role == "Success" and finding.verdict != "Superior":
        short = f": its worst end was {words.points(harm)} below no difference" if harm is not None else ""
        return f"{name} shown better{short}."
    if finding.role != "Guardrail" or finding.verdict in _PROVEN:
        return None
    allowed = allowed_of(finding)
    if allowed is None or harm is None:
        return f"{name} proven to be within its margin of {words.bound(finding.margin)}."
    if harm < allowed:
        return f"{name} proven: its interval is inside the margin, but the test that decides asks for more."
    beyond = words.points(harm - allowed)
    return f"{name} within its margin of {words.bound(finding.margin)}: its worst end was {beyond} beyond."


def _by_checks(decision: Decision) -> Iterator[str]:
    """Only checks that forbid the use of a result could have changed what was decided."""
    blocking = [check for check in decision.checks if check.blocking]
    failed = [check.name for check in blocking if not check.passed]
    if failed:
        yield f"The {'checks' if len(failed) > 1 else 'check'} {listed(failed)} passed."
    elif blocking and decision.recommendation in WENT_ON:
        yield f"A check failed ({listed([check.name for check in blocking], 'or')}): no result may be used then."


def _by_exclusions(decision: Decision) -> Iterator[str]:
    without = decision.without_exclusions
    if without and without.recommendation != decision.recommendation:
        yield f"With nothing excluded, the rule would have recommended {without.recommendation} ({without.reason})."


def _by_people(decision: Decision) -> Iterator[str]:
    if not decision.against:
        return
    backing = [note.reviewer for note in decision.reviews if note.verdict == "Approve" and note.reason]
    if decision.basis == "Emergency":
        yield "In the regular lane it would have waited for the approval of another person."
    elif backing:
        yield (
            f"Without the approval of {listed(backing)} it could not have been decided: acting against the "
            "recommendation needs another person."
        )


def _by_reason(decision: Decision) -> Iterator[str]:
    """Decisions that no measurement led to."""
    if not decision.results and decision.basis not in BY_PEOPLE:
        yield "No measurement led to it: only its reason not being the case would have changed it."
