"""start, stop, archive, decide, exclude: each one patch of an Experiment."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from crossfade_operator.api.experiment import DecisionChoice
from crossfade_operator.api.meta import rfc3339
from crossfade_operator.cli.experiments import requests
from crossfade_operator.cli.experiments.requests import Choice, Request
from crossfade_operator.cli.experiments.seen import view_of
from crossfade_operator.cli.flags import Verbs, output_flag, reason_flag
from crossfade_operator.cli.names import EXPERIMENT, named
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.values import Obj
from crossfade_operator.core.experiment.view import View

Ask = Callable[[View, Obj, Session, argparse.Namespace], Request]

_NAME = "exp/NAME"


def add(verbs: Verbs) -> None:
    """start, stop, archive, decide, exclude."""
    for verb, ask, text in (
        ("start", requests.start, "have an experiment's design checked, reviewed and run"),
        ("stop", requests.stop, "take an experiment's users back; its last look is taken and a person decides"),
        ("archive", requests.archive, "put an ended experiment away; its records stay"),
    ):
        output_flag(_experiment(verbs, verb, text, _simply(ask)), "the patched object")

    decide = _experiment(verbs, "decide", "decide an experiment: ship or abort", _decide)
    decide.add_argument("choice", choices=[choice.value.lower() for choice in DecisionChoice])
    reason_flag(decide, "why, in your own words, for the record", required=True)
    decide.add_argument("--treatment", metavar="ARM", help="which arm to ship, where there is more than one treatment")
    decide.add_argument("--emergency", action="store_true", help="at once; the review is due afterwards")
    output_flag(decide, "the patched object")

    exclude = _experiment(verbs, "exclude", "leave a time out of an experiment, for all arms alike", _exclude)
    exclude.add_argument("--from", dest="begin", required=True, metavar="TIME", help="such as 2026-11-22T10:00:00Z")
    exclude.add_argument("--to", dest="end", required=True, metavar="TIME", help="the same, or now")
    reason_flag(exclude, "why, such as the number of an incident", required=True)
    output_flag(exclude, "the patched object")


def _experiment(verbs: Verbs, verb: str, text: str, ask: Ask) -> argparse.ArgumentParser:
    parser = verbs.add(verb, text, _run, ask=ask)
    parser.add_argument("name", help=_NAME)
    return parser


def _simply(ask: Callable[[View, str], Request]) -> Ask:
    return lambda view, obj, session, options: ask(view, session.signature())


def _decide(view: View, obj: Obj, session: Session, options: argparse.Namespace) -> Request:
    choice = Choice(
        action=DecisionChoice(options.choice.capitalize()),
        by=session.cluster.whoami(),
        rationale=options.message,
        treatment=options.treatment,
        emergency=options.emergency,
    )
    return requests.decide(view, choice)


def _exclude(view: View, obj: Obj, session: Session, options: argparse.Namespace) -> Request:
    end = rfc3339(session.now) if options.end == "now" else options.end
    added = {"from": options.begin, "to": end, "reason": options.message}
    present = (obj.get("spec") or {}).get("exclusions") or ()
    return requests.exclude(view, present, obj["metadata"]["resourceVersion"], added)


def _run(session: Session, options: argparse.Namespace) -> int:
    name = named(options.name, (EXPERIMENT,), EXPERIMENT).name
    obj = session.cluster.get(EXPERIMENT, name)
    request: Request = options.ask(view_of(session.cluster, obj, session.now), obj, session, options)
    patched = session.cluster.patch(EXPERIMENT, name, request.patch)
    if options.output:
        session.give(patched, options.output)
        return 0
    session.tell(request.said)
    for text in request.waits:
        session.warn(text)
    return 0
