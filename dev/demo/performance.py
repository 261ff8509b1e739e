"""The play itself: an address and a first model, listeners, a better model, a worse one."""

from __future__ import annotations

import json
from pathlib import Path

from dev.demo import summary
from dev.demo.acts import Outcome, play, settled
from dev.demo.kube import ENDPOINT, NAMESPACE, Kube
from dev.demo.opening import first_model, listeners
from dev.demo.show import Show
from dev.demo.staging import clear_stage
from dev.demo.traffic import Traffic

LONGEST_LOAD = 900.0
_GOOD_SECONDS, _BAD_SECONDS = 300.0, 240.0
_LISTENERS = (
    "5,000 simulated listeners with ids, some far more active than others. 1 % of their requests fail with every "
    "model: they ask for tracks that came out today."
)


def perform(kube: Kube, show: Show, *, rate: float, report: Path | None = None) -> bool:
    """Play all of it; True when everything happened as promised."""
    clear_stage(kube)
    first_model(kube, show)
    with (
        kube.forwarding(ENDPOINT, 80, NAMESPACE) as port,
        Traffic(port, rate=rate, seconds=LONGEST_LOAD) as traffic,
    ):
        listeners(show, traffic, _LISTENERS)
        good = _good_model(kube, show, traffic)
        bad = _bad_model(kube, show, traffic)
        load = traffic.stop()
    kept = summary.promises(good, bad, load)
    summary.tell(show, (good, bad), load, kept)
    if report is not None:
        report.write_text(json.dumps({"load": load, "promises": {p.text: p.kept for p in kept}}, indent=2) + "\n")
    return all(promise.kept for promise in kept)


def _good_model(kube: Kube, show: Show, traffic: Traffic) -> Outcome:
    show.heading("v2: a better model earns its slices")
    good = play(kube, show, "v2", traffic=traffic, seconds=_GOOD_SECONDS)
    verdict = show.done if good.rollout.phase == "Promoted" else show.failed
    verdict(f"v2 is {good.rollout.phase} after {good.seconds:.0f} s and {good.steps_taken} steps")
    return good


def _bad_model(kube: Kube, show: Show, traffic: Traffic) -> Outcome:
    show.heading("v3: a worse model is found out")
    show.prose(
        "It fails listeners who play new tracks, 3 % of all requests instead of 1 %, and is slow for the busiest."
    )
    bad = play(kube, show, "v3", traffic=traffic, seconds=_BAD_SECONDS)
    settled(kube, show, lambda: traffic.answered_by("v3").requests, seconds=60)
    answered = traffic.answered_by("v3")
    bad = Outcome(bad.model, bad.rollout, bad.decisions, bad.seconds, bad.exposed_seconds, answered)
    verdict = show.done if bad.rollout.phase == "RolledBack" else show.failed
    verdict(
        f"v3 is {bad.rollout.phase} {bad.exposed_seconds:.0f} s after its first slice, "
        f"after {answered.requests:,} requests of {answered.users:,} users"
    )
    return bad
