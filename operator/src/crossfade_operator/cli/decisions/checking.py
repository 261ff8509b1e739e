"""verify and export: whether a decision's evidence says what it says, here or on another machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from crossfade_analyzer.contract import Verification
from crossfade_operator.cli.analyzer import Analyzer
from crossfade_operator.cli.decisions import carrying, finding
from crossfade_operator.cli.decisions.commands import EXIT_DIFFERENT, EXIT_PROBLEM
from crossfade_operator.cli.decisions.verification import differences
from crossfade_operator.cli.decisions.view import Decision, decision_of
from crossfade_operator.cli.flags import Verbs, analyzer_flag, output_flag
from crossfade_operator.cli.names import EXPERIMENT, REVIEW, ROLLOUT, kind_of
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.text import item, several, wrapped
from crossfade_operator.cli.values import Obj


def add(verbs: Verbs) -> None:
    """verify, export."""
    text = "recompute a decision from its stored evidence, without Prometheus, and say exactly what differs"
    verify = verbs.add("verify", text, _verify, exit_problem=EXIT_PROBLEM)
    verify.add_argument(
        "name", metavar="NAME|FILE", help="decision/NAME (or rollout/NAME, exp/NAME: its newest), or an exported file"
    )
    analyzer_flag(verify)
    output_flag(verify, "what was found")

    export = verbs.add("export", "write a decision with its evidence to a file that verifies anywhere", _export)
    export.add_argument("name", help="decision/NAME; or rollout/NAME or exp/NAME for the newest decision about it")
    export.add_argument("-o", "--output", metavar="FILE", default="-", help="default: standard output")
    analyzer_flag(export)


def _verify(session: Session, options: argparse.Namespace) -> int:
    if _is_file(options.name):
        return _verify_file(session, options)
    decision = decision_of(finding.decision_object(session.cluster, options.name))
    digest = _digest(decision)
    analyzer = Analyzer(session.cluster, options.analyzer)
    verified = analyzer.verify(digest)
    return _tell(session, options, decision, verified, differences(decision, verified, analyzer.evidence(digest)))


def _verify_file(session: Session, options: argparse.Namespace) -> int:
    carried = carrying.read(Path(options.name))
    if carried.evidence is None:
        _digest(decision_of(carried.decision or {}))
        raise Problem(f"{options.name} holds no evidence, though its decision names some.")
    verified = carrying.recomputed(carried.evidence)
    if carried.decision is None:
        return _tell(session, options, None, verified, verified.differences)
    decision = decision_of(carried.decision)
    return _tell(session, options, decision, verified, differences(decision, verified, carried.evidence))


def _is_file(name: str) -> bool:
    """`decision/x` means an object even in a folder called decision; anything else that exists is a file."""
    return kind_of(name.rpartition("/")[0]) is None and Path(name).is_file()


def _digest(decision: Decision) -> str:
    if decision.evidence is None:
        raise Problem(
            f"decision {decision.name} rests on no measured evidence ({decision.reason}): nothing can be recomputed.",
            f"why it was made: kubectl crossfade explain decision/{decision.name} -n {decision.namespace}",
        )
    return decision.evidence


def _tell(
    session: Session,
    options: argparse.Namespace,
    decision: Decision | None,
    verified: Verification,
    found: tuple[str, ...],
) -> int:
    what = f"decision {decision.name}" if decision else f"the evidence of {verified.subject}"
    if options.output:
        values = verified.model_dump(mode="json", by_alias=True)
        session.give({**values, "decision": decision.name if decision else None, "differences": list(found),
                      "verified": not found}, options.output)  # fmt: skip
    elif found:
        session.say([
            f"{session.paint('NOT VERIFIED', 'red', 'bold')}: {what}, {several(len(found), 'difference')}",
            *(line for text in found for line in item(text, session.wide)),
        ])  # fmt: skip
    else:
        session.say(f"{session.paint('verified', 'green', 'bold')}: {what}")
        looked = [several(verified.looks, "look")]
        looked += [several(verified.windows, "window")] if verified.windows else []
        said = f"{', '.join(looked)} recomputed by {verified.rule} from {verified.digest}: {verified.verdict}."
        if decision:
            said += " The record says the same: design, recommendation, verdicts and figures."
        session.say(wrapped("  ", said, session.wide, indent=2))
    return EXIT_DIFFERENT if found else 0


def _export(session: Session, options: argparse.Namespace) -> int:
    obj = finding.decision_object(session.cluster, options.name)
    decision = decision_of(obj)
    evidence = Analyzer(session.cluster, options.analyzer).evidence(decision.evidence) if decision.evidence else None
    content = carrying.exported(obj, _reviews(session, decision), _design(session, decision), evidence)
    text = json.dumps(content, indent=1, ensure_ascii=False)
    if options.output == "-":
        session.say(text)
        return 0
    try:
        Path(options.output).write_text(text + "\n")
    except OSError as error:
        raise Problem(f"{options.output} cannot be written: {error.strerror}") from error
    kept = f" and its evidence, {len(evidence.entries):,} entries," if evidence else ", which rests on no evidence,"
    check = f"; check it anywhere with: kubectl crossfade verify {options.output}" if evidence else ""
    session.tell(f"wrote decision {decision.name}{kept} to {options.output}{check}")
    return 0


def _reviews(session: Session, decision: Decision) -> list[Obj]:
    """Of the decision, and those that stood when it was made."""
    standing = {note.name for note in decision.reviews}
    about = session.cluster.select(REVIEW, {"spec.subject.kind": decision.kind, "spec.subject.name": decision.subject})
    of_itself = session.cluster.select(REVIEW, {"spec.subject.kind": "Decision", "spec.subject.name": decision.name})
    return [*(obj for obj in about if obj["metadata"]["name"] in standing), *of_itself]


def _design(session: Session, decision: Decision) -> Obj | None:
    """The design or plan as it is written, if its object is still there: the evidence holds the one that counted."""
    found = session.cluster.find(ROLLOUT if decision.of_rollout else EXPERIMENT, decision.subject)
    if found is None:
        return None
    spec = found.get("spec") or {}
    part = (spec.get("strategy") or {}).get("analysis") if decision.of_rollout else spec.get("design")
    return part if isinstance(part, dict) else None
