"""How every performance opens: an address with a first model behind it, and the listeners."""

from __future__ import annotations

import time
from pathlib import Path

from dev.cluster.errors import ClusterError
from dev.cluster.progress import step
from dev.demo.acts import play
from dev.demo.kube import ENDPOINT, NAMESPACE, Kube
from dev.demo.show import Show
from dev.demo.staging import EXAMPLES, example
from dev.demo.traffic import Traffic

_FIRST_SECONDS = 120.0
BASELINE_REQUESTS = 4000
"""Seen with the first model alone: enough to choose the latency bounds by, as the analyzer does."""


def first_model(kube: Kube, show: Show, folder: Path = EXAMPLES) -> None:
    """Apply the endpoint and v1, and return when the routers answer."""
    show.heading("An address, and a first model behind it")
    kube.kubectl("create", "namespace", NAMESPACE)
    path = example("endpoint", folder)
    show.command(f"kubectl --namespace {NAMESPACE} apply --filename {path}")
    kube.apply(path)
    first = play(kube, show, "v1", traffic=None, seconds=_FIRST_SECONDS, folder=folder)
    with step("waiting until the routers answer"):
        kube.kubectl(
            "wait", "--namespace", NAMESPACE, f"modelendpoint/{ENDPOINT}", "--for=condition=Ready", "--timeout=120s",
            timeout=130,
        )  # fmt: skip
    show.done(f"v1 (revision {first.rollout.stable}) serves everybody after {first.seconds:.0f} s")


def listeners(show: Show, traffic: Traffic, what_they_do: str) -> None:
    """Introduce the listeners, and return when enough of them were answered."""
    show.heading("Listeners arrive")
    show.prose(what_they_do)
    deadline = time.monotonic() + 120
    while traffic.latest["requests"] < BASELINE_REQUESTS:
        if time.monotonic() > deadline:
            raise ClusterError(f"only {traffic.latest['requests']} requests in 120 s", "is the machine overloaded?")
        show.live(
            f"{traffic.latest['requests']:,} requests of {traffic.latest['users']:,} users, {traffic.failed} failed"
        )
        time.sleep(0.5)
    show.done(f"{traffic.latest['requests']:,} requests, {traffic.latest['rate']:.0f} a second")
