"""decisions, explain, diff: what is on record."""

from __future__ import annotations

import argparse

from crossfade_operator.api.decision import DecisionAction
from crossfade_operator.cli.decisions import explain, finding, listing
from crossfade_operator.cli.decisions.difference import differences
from crossfade_operator.cli.decisions.view import Decision, decision_of
from crossfade_operator.cli.flags import Verbs, output_flag
from crossfade_operator.cli.names import DECISION, EXPERIMENT, ROLLOUT
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.text import item

EXIT_DIFFERENT, EXIT_PROBLEM = 1, 2
"""As diff has it: 1 says that something differs, so a problem is 2."""

_NAME = "decision/NAME; or rollout/NAME or exp/NAME for the newest decision about it"
_FIELDS = {"owner": "spec.owner", "endpoint": "spec.endpoint", "action": "spec.action"}


def add(verbs: Verbs) -> None:
    """decisions, explain, diff."""
    every = verbs.add("decisions", "list decisions, newest first", _decisions)
    every.add_argument(
        "--model", metavar="NAME|DIGEST", help="about this model: digest or its beginning, revision, or a name"
    )
    every.add_argument("--owner", help="about what this team or person owns")
    every.add_argument("--endpoint", metavar="NAME", help="about users of this endpoint")
    about = every.add_mutually_exclusive_group()
    about.add_argument("--experiment", metavar="NAME", help="about this experiment")
    about.add_argument("--rollout", metavar="NAME", help="about this rollout")
    every.add_argument("--action", type=_action, help=f"one of {', '.join(DecisionAction)}")
    every.add_argument("--since", metavar="7d", help="not older than this, or not before a date")
    every.add_argument("-A", "--all-namespaces", dest="everywhere", action="store_true", help="list every namespace")
    output_flag(every, "the decisions")

    told = verbs.add(
        "explain", "tell a decision in words: what, why, on what, and what would have changed it", _explain
    )
    told.add_argument("name", help=_NAME)

    compared = verbs.add("diff", "say in words what differs between two decisions", _diff, exit_problem=EXIT_PROBLEM)
    compared.add_argument("one", metavar="A", help=_NAME)
    compared.add_argument("other", metavar="B", help=_NAME)
    output_flag(compared, "the differences by topic")


def _action(text: str) -> str:
    for action in DecisionAction:
        if action.lower() == text.lower():
            return action.value
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(DecisionAction)}")


def _decisions(session: Session, options: argparse.Namespace) -> int:
    fields = {path: getattr(options, name) for name, path in _FIELDS.items() if getattr(options, name)}
    for kind, name in ((EXPERIMENT, options.experiment), (ROLLOUT, options.rollout)):
        if name:
            fields |= {"spec.subject.kind": kind.name, "spec.subject.name": name}
    begin = finding.since(options.since, session.now)

    def wanted(decision: Decision) -> bool:
        recent = (decision.at or finding.EVER) >= begin
        return recent and (options.model is None or finding.is_model(decision, options.model))

    found = finding.newest_first(session.cluster.select(DECISION, fields, everywhere=options.everywhere), wanted)
    if options.output:
        session.give({"apiVersion": "v1", "kind": "List", "items": found}, options.output)
        return 0
    if not found:
        where = "the cluster" if options.everywhere else f"namespace {session.cluster.namespace}"
        raise Problem(f"{where} has no such decision.", "leave a filter out, or look in every namespace with -A")
    decisions = [decision_of(obj) for obj in found]
    session.say(listing.table(decisions, session.paint, session.cut, namespaces=options.everywhere))
    return 0


def _explain(session: Session, options: argparse.Namespace) -> int:
    decision = decision_of(finding.decision_object(session.cluster, options.name))
    later = finding.reviews_of(session.cluster, decision)
    directions = finding.directions(session.cluster)
    session.say(explain.page(decision, later, directions, session.paint, session.wide))
    return 0


def _diff(session: Session, options: argparse.Namespace) -> int:
    one, other = (decision_of(finding.decision_object(session.cluster, name)) for name in (options.one, options.other))
    found = differences(one, other)
    if options.output:
        session.give({"one": one.name, "other": other.name, "differences": dict(found)}, options.output)
    elif not found:
        session.say(f"{one.name} and {other.name} say the same.")
    else:
        session.say(f"{one.name} → {other.name}")
        for title, said in found:
            session.say([session.paint(title, "bold"), *(line for text in said for line in item(text, session.wide))])
    return EXIT_DIFFERENT if found else 0
