"""The verbs that steer a rollout: each one patch."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable

from crossfade_operator.cli.flags import Verbs, output_flag, reason_flag
from crossfade_operator.cli.names import ROLLOUT, named
from crossfade_operator.cli.problem import Problem
from crossfade_operator.cli.rollouts import requests
from crossfade_operator.cli.rollouts.requests import Asking, Request
from crossfade_operator.cli.rollouts.view import Rollout, rollout_of
from crossfade_operator.cli.session import Session

Ask = Callable[[Rollout, Asking], Request]

_REQUESTS: tuple[tuple[str, Ask, str], ...] = (
    ("promote", requests.promote, "go on to the next step now, or give the approval that is waited for"),
    ("pause", lambda rollout, asking: requests.pause(rollout), "take no further step; harm still rolls back"),
    ("resume", lambda rollout, asking: requests.resume(rollout), "go on after a pause"),
    ("abort", requests.abort, "take the candidate out, back to stable"),
    ("retry", requests.retry, "try the rolled-back revision once more"),
)


def add(verbs: Verbs) -> None:
    """promote, pause, resume, abort, retry."""
    for verb, request, text in _REQUESTS:
        asking = verbs.add(verb, text, _ask, request=request, full=False, emergency=False, message=None)
        asking.add_argument("name", help="a ModelRollout")
        output_flag(asking, "the patched object")
        if verb == "promote":
            asking.add_argument("--full", action="store_true", help="skip all remaining steps")
            asking.add_argument(
                "--emergency",
                action="store_true",
                help="act at once, whatever is still waited for; reviewed afterwards",
            )
            reason_flag(asking, "why, for the record; an emergency needs it", required=False)


def _ask(session: Session, options: argparse.Namespace) -> int:
    if options.emergency and not options.message:
        raise Problem("an emergency is put on record with its reason.", "say it with -m 'why it cannot wait'")
    name = named(options.name, (ROLLOUT,), ROLLOUT).name
    rollout = rollout_of(session.cluster.get(ROLLOUT, name))
    by = session.cluster.whoami() if options.request is requests.promote else session.signature()
    asking = Asking(secrets.token_hex(4), by, full=options.full, emergency=options.emergency, rationale=options.message)
    request = options.request(rollout, asking)
    patched = session.cluster.patch(ROLLOUT, name, request.patch)
    if options.output:
        session.give(patched, options.output)
    else:
        session.tell(request.said)
    return 0
