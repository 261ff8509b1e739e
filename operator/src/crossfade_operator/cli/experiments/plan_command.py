"""`plan`: of an experiment in the cluster, or of one in a file that is not applied yet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from crossfade_analyzer.contract import ExperimentPlan
from crossfade_operator.api.quantities import Duration
from crossfade_operator.cli.analyzer import Analyzer
from crossfade_operator.cli.experiments import plan_render, planning
from crossfade_operator.cli.experiments.seen import view_of
from crossfade_operator.cli.experiments.view import experiment_of
from crossfade_operator.cli.flags import Verbs, analyzer_flag, output_flag
from crossfade_operator.cli.names import EXPERIMENT, METRIC, named
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.values import Obj
from crossfade_operator.core.experiment.view import View

EXIT_NOT_WORTH_IT, EXIT_NOT_KNOWN = 3, 4


def add(verbs: Verbs) -> None:
    """plan."""
    parser = verbs.add("plan", "what an experiment would take, and what keeps it from starting", _plan)
    parser.add_argument("name", nargs="?", help="exp/NAME")
    parser.add_argument("-f", "--filename", metavar="FILE", help="an Experiment that is not applied yet; - for stdin")
    parser.add_argument(
        "--history", metavar="7d", type=_history, default=Duration("7d"), help="how far back traffic is looked at"
    )
    analyzer_flag(parser)
    output_flag(parser, "the plan")


def _history(text: str) -> Duration:
    try:
        return Duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _plan(session: Session, options: argparse.Namespace) -> int:
    if (options.name is None) == (options.filename is None):
        raise Problem("plan is about one experiment.", "name it as exp/NAME, or its file with -f FILE")
    if options.filename:
        experiment, beside = _from_file(session, options)
    else:
        experiment, beside = session.cluster.get(EXPERIMENT, named(options.name, (EXPERIMENT,), EXPERIMENT).name), ()
    view = view_of(session.cluster, experiment, session.now, beside)
    analysis, unknown = _analysis(session, options, view)
    plan = planning.planned(view, experiment_of(experiment), analysis, unknown, _contracts(session))
    if options.output:
        session.give(planning.as_values(plan), options.output)
    else:
        session.say(plan_render.page(plan, session.paint, session.wide))
    if not plan.can_start or (analysis is not None and not analysis.feasible):
        return EXIT_NOT_WORTH_IT
    return EXIT_NOT_KNOWN if analysis is None else 0


def _analysis(session: Session, options: argparse.Namespace, view: View) -> tuple[ExperimentPlan | None, str | None]:
    """The plan, or a sentence why there is none: everything else can be told without the analyzer."""
    asked = planning.question(view, options.history.total_seconds())
    if asked is None:
        return None, "what it rests on is missing, see below"
    try:
        return Analyzer(session.cluster, options.analyzer).plan(asked), None
    except Problem as problem:
        return None, "; ".join(part.rstrip(".") for part in (str(problem), problem.hint) if part)


def _contracts(session: Session) -> Mapping[str, str]:
    """What the learning controller last found of each Metric's series."""
    return {obj["metadata"]["name"]: _contract(obj) for obj in session.cluster.select(METRIC)}


def _contract(metric: Obj) -> str:
    conditions = (metric.get("status") or {}).get("conditions") or ()
    ready = next((one for one in conditions if one.get("type") == "Ready"), None)
    if ready is None or ready.get("status") == "Unknown":
        return "not checked yet"
    return "holds" if ready["status"] == "True" else f"broken: {ready.get('message') or ready.get('reason')}"


def _from_file(session: Session, options: argparse.Namespace) -> tuple[Obj, Sequence[Obj]]:
    """The one Experiment in a file, and the objects beside it."""
    where = options.filename
    try:
        text = sys.stdin.read() if where == "-" else Path(where).read_text()
        documents = [document for document in yaml.safe_load_all(text) if document]
    except OSError as error:
        raise Problem(f"{where} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Problem(f"{where} is no YAML: {' '.join(str(error).split())}") from error
    objects = [obj for obj in documents if isinstance(obj, dict) and obj.get("kind") and obj.get("metadata")]
    found = [obj for obj in objects if obj["kind"] == EXPERIMENT.name]
    if len(found) != 1:
        raise Problem(f"{where} holds {len(found)} Experiments, and one is planned at a time.")
    (experiment,) = found
    if options.namespace is None and experiment["metadata"].get("namespace"):
        session.cluster.namespace = experiment["metadata"]["namespace"]
    experiment["metadata"]["namespace"] = session.cluster.namespace
    return experiment, objects
