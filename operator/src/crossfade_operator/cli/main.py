"""The command `kubectl crossfade`."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from crossfade_operator.cli import render, verbs
from crossfade_operator.cli.client import KubernetesRollouts, Rollouts
from crossfade_operator.cli.paint import Paint
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.view import rollout_of
from crossfade_operator.cli.watching import watch

EXIT_PROBLEM, EXIT_NOT_PROMOTED, EXIT_INTERRUPTED = 1, 3, 130

Connect = Callable[[argparse.Namespace], Rollouts]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: ends the process with an exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str], connect: Connect | None = None, out: TextIO | None = None) -> int:
    """Carry out one command; 0 when it was, 1 with a sentence on stderr when not."""
    options = _parser().parse_args(arguments)
    out = out or sys.stdout
    try:
        rollouts = (connect or _connect)(options)
        return int(options.command(rollouts, options, out))
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        if problem.hint:
            print(f"       {problem.hint}", file=sys.stderr)
        return EXIT_PROBLEM
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_PROBLEM


def _connect(options: argparse.Namespace) -> Rollouts:
    return KubernetesRollouts(options.kubeconfig, options.context, options.namespace)


def _get(rollouts: Rollouts, options: argparse.Namespace, out: TextIO) -> int:
    paint, now = Paint.for_stream(out), datetime.now(UTC)
    if options.name:
        obj = rollouts.get(options.name)
        wide = min(shutil.get_terminal_size().columns, 120)
        lines = [_json(obj)] if options.output else render.page(rollout_of(obj), paint, now, wide=wide)
    else:
        found = rollouts.list(everywhere=options.everywhere)
        if options.output:
            lines = [_json({"apiVersion": "v1", "kind": "List", "items": found})]
        elif found:
            shown = [rollout_of(obj) for obj in found]
            lines = render.table(shown, paint, now, namespaces=options.everywhere)
        else:
            where = "the cluster" if options.everywhere else f"namespace {rollouts.namespace}"
            raise Problem(f"{where} has no ModelRollout.")
    print("\n".join(lines), file=out)
    return 0


def _watch(rollouts: Rollouts, options: argparse.Namespace, out: TextIO) -> int:
    last = watch(rollouts, options.name, out, until_done=options.until_done)
    return 0 if last.phase == "Promoted" else EXIT_NOT_PROMOTED


def _ask(rollouts: Rollouts, options: argparse.Namespace, out: TextIO) -> int:
    rollout = rollout_of(rollouts.get(options.name))
    request = options.request(rollout, options)
    patched = rollouts.patch(options.name, request.patch)
    print(_json(patched) if options.output else request.said, file=out)
    return 0


def _json(obj: object) -> str:
    return json.dumps(obj, indent=2, ensure_ascii=False)


def _token() -> str:
    return secrets.token_hex(4)


_REQUESTS: tuple[tuple[str, Callable[..., verbs.Request], str], ...] = (
    (
        "promote",
        lambda rollout, options: verbs.promote(rollout, _token(), full=options.full),
        "go on to the next step now, or give the approval that is waited for",
    ),
    ("pause", lambda rollout, options: verbs.pause(rollout), "take no further step; harm still rolls back"),
    ("resume", lambda rollout, options: verbs.resume(rollout), "go on after a pause"),
    ("abort", lambda rollout, options: verbs.abort(rollout, _token()), "take the candidate out, back to stable"),
    ("retry", lambda rollout, options: verbs.retry(rollout, _token()), "try the rolled-back revision once more"),
)


def _parser() -> argparse.ArgumentParser:
    common = _common_flags()
    parser = argparse.ArgumentParser(
        prog="kubectl crossfade",
        description="Look at ModelRollouts and steer them.",
        epilog="Every verb is also plain kubectl: see docs/kubectl-plugin.md.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    get = commands.add_parser("get", parents=[common], help="show one rollout, or list them")
    get.add_argument("name", nargs="?", help="a ModelRollout; without it all of them are listed")
    get.add_argument("-A", "--all-namespaces", dest="everywhere", action="store_true", help="list every namespace")
    get.add_argument("-o", "--output", choices=["json"], help="the objects themselves, as JSON")
    get.set_defaults(command=_get)

    following = commands.add_parser("watch", parents=[common], help="show one rollout and every change of it")
    following.add_argument("name", help="a ModelRollout")
    following.add_argument(
        "--until-done",
        action="store_true",
        help="end with the rollout: exit code 0 when it was promoted, 3 when it was rolled back or refused",
    )
    following.set_defaults(command=_watch)

    for verb, request, text in _REQUESTS:
        asking = commands.add_parser(verb, parents=[common], help=text, description=text)
        asking.add_argument("name", help="a ModelRollout")
        asking.add_argument("-o", "--output", choices=["json"], help="the patched object, as JSON")
        if verb == "promote":
            asking.add_argument("--full", action="store_true", help="skip all remaining steps")
        asking.set_defaults(command=_ask, request=request)
    return parser


def _common_flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("-n", "--namespace", help="default: the context's namespace")
    flags.add_argument("--context", help="a context of the kubeconfig; default: the current one")
    flags.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    return flags


if __name__ == "__main__":
    main()
