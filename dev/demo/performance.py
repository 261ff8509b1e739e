"""The play itself: an address and a first model, listeners, a better model, a worse one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TypeVar

from dev.cluster.errors import ClusterError
from dev.cluster.progress import step
from dev.demo import summary
from dev.demo.acts import Outcome, play, settled
from dev.demo.kube import ENDPOINT, NAMESPACE, Kube
from dev.demo.show import Show
from dev.demo.staging import clear_stage, example
from dev.demo.traffic import Traffic

LONGEST_LOAD = 900.0
_FIRST_SECONDS, _GOOD_SECONDS, _BAD_SECONDS = 120.0, 300.0, 240.0
_BASELINE_REQUESTS = 4000
"""Seen with the first model alone: enough to choose the latency bounds by, as the analyzer does."""

T = TypeVar("T")


def perform(kube: Kube, show: Show, *, rate: float, report: Path | None = None) -> bool:
    """Play all of it; True when everything happened as promised."""
    clear_stage(kube)
    _first_model(kube, show)
    with (
        kube.forwarding(ENDPOINT, 80, NAMESPACE) as port,
        Traffic(port, rate=rate, seconds=LONGEST_LOAD) as traffic,
    ):
        _baseline(show, traffic)
        good = _good_model(kube, show, traffic)
        bad = _bad_model(kube, show, traffic)
        load = traffic.stop()
    kept = summary.promises(good, bad, load)
    summary.tell(show, (good, bad), load, kept)
    if report is not None:
        report.write_text(json.dumps({"load": load, "promises": {p.text: p.kept for p in kept}}, indent=2) + "\n")
    return all(promise.kept for promise in kept)


def _first_model(kube: Kube, show: Show) -> None:
    show.heading("An address, and a first model behind it")
    kube.kubectl("create", "namespace", NAMESPACE)
    path = example("endpoint")
    show.command(f"kubectl --namespace {NAMESPACE} apply --filename {path}")
    kube.kubectl("apply", "--namespace", NAMESPACE, "--filename", path)
    first = play(kube, show, "v1", traffic=None, seconds=_FIRST_SECONDS)
    with step("waiting until the routers answer"):
        kube.kubectl(
            "wait", "--namespace", NAMESPACE, f"modelendpoint/{ENDPOINT}", "--for=condition=Ready", "--timeout=120s",
            timeout=130,
        )  # fmt: skip
    show.done(f"v1 (revision {first.rollout.stable}) serves everybody after {first.seconds:.0f} s")


def _baseline(show: Show, traffic: Traffic) -> None:
    show.heading("Listeners arrive")
    show.prose(
        "5,000 simulated listeners with ids, some far more active than others. 1 % of their requests fail with every "
        "model: they ask for tracks that came out today."
    )
    deadline = time.monotonic() + 120
    while traffic.latest["requests"] < _BASELINE_REQUESTS:
        if time.monotonic() > deadline:
            raise ClusterError(f"only {traffic.latest['requests']} requests in 120 s", "is the machine overloaded?")
        show.live(
            f"{traffic.latest['requests']:,} requests of {traffic.latest['users']:,} users, {traffic.failed} failed"
        )
        time.sleep(0.5)
    show.done(f"{traffic.latest['requests']:,} requests, {traffic.latest['rate']:.0f} a second")


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
