"""`get` and `watch`: rollouts and experiments as they stand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crossfade_operator.cli.experiments import render as experiment_render
from crossfade_operator.cli.experiments.view import Experiment, experiment_of
from crossfade_operator.cli.flags import Verbs, output_flag
from crossfade_operator.cli.names import EXPERIMENT, ROLLOUT, Kind, kind_of, named
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.rollouts import render as rollout_render
from crossfade_operator.cli.rollouts.view import Rollout, rollout_of
from crossfade_operator.cli.session import Session
from crossfade_operator.cli.text import blocks
from crossfade_operator.cli.values import Obj
from crossfade_operator.cli.watching import Sight, watch

EXIT_OTHER_END = 3
"""`watch --until-done`: it ended, but not in a promotion or a Ship."""

ROLLOUTS = Sight[Rollout](rollout_of, rollout_render.page, rollout_render.line)
EXPERIMENTS = Sight[Experiment](experiment_of, experiment_render.page, experiment_render.line)

_KINDS = (ROLLOUT, EXPERIMENT)
_NAMES = "NAME or rollout/NAME of a rollout, exp/NAME of an experiment"


def add(verbs: Verbs) -> None:
    """get, watch."""
    get = verbs.add("get", "show one rollout or experiment, or list them", _get)
    get.add_argument("name", nargs="?", help=f"{_NAMES}; `rollouts` or `exp` lists that kind, nothing both")
    get.add_argument("-A", "--all-namespaces", dest="everywhere", action="store_true", help="list every namespace")
    output_flag(get, "the objects themselves")

    following = verbs.add("watch", "show one rollout or experiment and every change of it", _watch)
    following.add_argument("name", help=_NAMES)
    following.add_argument(
        "--until-done",
        action="store_true",
        help="end with it: exit code 0 when the rollout was promoted or the experiment decided to ship, else 3",
    )


def _get(session: Session, options: argparse.Namespace) -> int:
    kind = kind_of(options.name) if options.name else None
    if options.name is None or kind in _KINDS:
        return _list(session, options, (kind,) if kind else _KINDS)
    one = named(options.name, _KINDS, ROLLOUT)
    obj = session.cluster.get(one.kind, one.name)
    if options.output:
        session.give(obj, options.output)
    else:
        session.say(_page(session, one.kind, obj))
    return 0


def _page(session: Session, kind: Kind, obj: Obj) -> list[str]:
    if kind is EXPERIMENT:
        return EXPERIMENTS.page(EXPERIMENTS.read(obj), session.paint, session.now, session.wide)
    return ROLLOUTS.page(ROLLOUTS.read(obj), session.paint, session.now, session.wide)


def _list(session: Session, options: argparse.Namespace, kinds: Sequence[Kind]) -> int:
    found = {kind: session.cluster.select(kind, everywhere=options.everywhere) for kind in kinds}
    items = [obj for objects in found.values() for obj in objects]
    if options.output:
        session.give({"apiVersion": "v1", "kind": "List", "items": items}, options.output)
        return 0
    if not items:
        where = "the cluster" if options.everywhere else f"namespace {session.cluster.namespace}"
        raise Problem(f"{where} has no {' and no '.join(kind.name for kind in kinds)}.")
    look, namespaces = (session.paint, session.now, session.cut), options.everywhere
    tables = []
    if rollouts := [rollout_of(obj) for obj in found.get(ROLLOUT, ())]:
        tables.append(rollout_render.table(rollouts, *look, namespaces=namespaces))
    if experiments := [experiment_of(obj) for obj in found.get(EXPERIMENT, ())]:
        tables.append(experiment_render.listing(experiments, *look, namespaces=namespaces))
    session.say(blocks(tables))
    return 0


def _watch(session: Session, options: argparse.Namespace) -> int:
    one = named(options.name, _KINDS, ROLLOUT)
    if one.kind is EXPERIMENT:
        ended = watch(session.cluster, one, EXPERIMENTS, session.out, until_done=options.until_done)
        return 0 if ended.decided == "Ship" else EXIT_OTHER_END
    last = watch(session.cluster, one, ROLLOUTS, session.out, until_done=options.until_done)
    return 0 if last.phase == "Promoted" else EXIT_OTHER_END
