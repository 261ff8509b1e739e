"""The end of the show: what happened, whether it was what was promised, and how to look further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade_operator.cli.paint import columns
from dev.demo.acts import Outcome
from dev.demo.kube import NAMESPACE, ROLLOUT, SYSTEM
from dev.demo.show import Show
from dev.demo.traffic import Summary

STEPS_PROMISED = 3


@dataclass(frozen=True)
class Promise:
    """A sentence that the demo stands or falls with."""

    text: str
    kept: bool


def promises(good: Outcome, bad: Outcome, load: Summary) -> tuple[Promise, ...]:
    """What must be true at the end; the exit code is whether all of it is."""
    last = bad.last
    return (
        Promise(
            f"{good.model} was promoted through {good.steps_taken} steps ({STEPS_PROMISED} or more)",
            good.rollout.phase == "Promoted" and good.steps_taken >= STEPS_PROMISED,
        ),
        Promise(
            f"{bad.model} was rolled back by evidence ({last.reason if last else 'no decision'})",
            bad.rollout.phase == "RolledBack" and last is not None and last.reason == "EvidenceOfHarm",
        ),
        Promise(
            f"{good.model} serves everybody again (stable revision {bad.rollout.stable})",
            bad.rollout.stable is not None and bad.rollout.stable == good.rollout.stable,
        ),
        of_load(load),
    )


def of_load(load: Summary) -> Promise:
    """Nobody was left without an answer, except by the models themselves."""
    return Promise(
        f"{load['failed']['requests']} of {load['requests']:,} requests failed beyond the models' own failures",
        load["failed"]["requests"] == 0 and load["requests"] > 0,
    )


def tell(show: Show, outcomes: Sequence[Outcome], load: Summary, kept: Sequence[Promise]) -> None:
    """The summary, and the commands that show more."""
    show.heading("What happened")
    show.lines(
        columns([("MODEL", "END", "STEPS", "TIME", "ANSWERED", "USERS", "DECIDED BECAUSE"), *map(_row, outcomes)])
    )
    show.say("")
    for outcome in outcomes:
        if outcome.rollout.phase == "RolledBack":
            show.prose(
                f"{outcome.model} was taken out {outcome.exposed_seconds:.0f} s after its first slice. Until then it "
                f"answered {outcome.answered.requests:,} requests of {outcome.answered.users:,} users; where it "
                "failed, the stable one answered instead."
            )
    show.prose(_load(load))
    show.say("")
    for promise in kept:
        (show.done if promise.kept else show.failed)(promise.text)
    for example in load["failed"].get("examples", [])[:5]:
        show.prose(f"failed: user {example['user']} at {example['at']} s: {example['failure']}")
    _look_further(show)


def _row(outcome: Outcome) -> tuple[str, ...]:
    last = outcome.last
    return (
        outcome.model,
        outcome.rollout.phase,
        str(outcome.steps_taken),
        f"{outcome.seconds:.0f} s",
        f"{outcome.answered.requests:,}",
        f"{outcome.answered.users:,}",
        f"{last.reason}" if last else "-",
    )


def _load(load: Summary) -> str:
    delays = load["latency_ms"]
    own = load["own_failures"]
    return (
        f"The listeners: {load['users']:,} users sent {load['requests']:,} requests, {load['rate']:.0f} a second; "
        f"half were answered within {delays['p50']} ms, 99 % within {delays['p99']} ms. "
        f"{own['requests']:,} failed because no model knows the track yet ({own['requests'] / load['requests']:.1%})."
        + (f" The machine was too busy for {load['skipped']:,} more." if load.get("skipped") else "")
    )


def _look_further(show: Show) -> None:
    show.heading("Look further: the cluster is still there")
    for text in (
        'export KUBECONFIG="$(python -m dev.cluster kubeconfig)"',
        f"kubectl --namespace {NAMESPACE} get modelendpoints,modelrollouts",
        f"kubectl --namespace {NAMESPACE} get events --sort-by=.lastTimestamp",
        f"kubectl crossfade get {ROLLOUT} --namespace {NAMESPACE}  # or: uv run kubectl-crossfade",
        f"kubectl crossfade retry {ROLLOUT} --namespace {NAMESPACE}  # with: python -m dev.demo load",
        f"python -m dev.cluster forward svc/crossfade-prometheus 9090:9090 --namespace {SYSTEM}",
        "make demo-down",
    ):
        show.command(text)
