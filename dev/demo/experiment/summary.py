"""The end of the show: whether it was what was promised, what is on record, and how to look further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade_operator.cli.decisions.view import Decision
from crossfade_operator.cli.experiments.render import effect
from crossfade_operator.cli.experiments.view import Experiment
from crossfade_operator.cli.rollouts import view as rollouts
from dev.demo.experiment.gated import UNPROVEN, largest_share
from dev.demo.experiment.plugin import Plugin
from dev.demo.kube import NAMESPACE, ROLLOUT, SYSTEM
from dev.demo.show import Show
from dev.demo.summary import Promise, of_load
from dev.demo.traffic import Summary


@dataclass(frozen=True)
class Seen:
    """What happened: experiments as they stood when they waited for a decision, and the decisions."""

    twin: Experiment
    shipped: Experiment
    ship: Decision
    promoted: rollouts.Rollout
    rollout: tuple[rollouts.Decision, ...]
    """About v2, from its first slice to the last."""
    swapped: tuple[rollouts.Decision, ...]
    """About v3, from the swap to its withdrawal."""
    aborted: Experiment
    abort: Decision
    verified: bool
    load: Summary


def promises(seen: Seen) -> tuple[Promise, ...]:
    """What must be true at the end; the exit code is whether all of it is."""
    early, late = _around(seen)
    return (
        Promise(f"Equal models were not found different ({seen.twin.outcome})", seen.twin.outcome == "PoweredNeutral"),
        Promise(
            f"v2 was found better: plays {_effect(seen.shipped)}; recommended {seen.shipped.recommendation}, "
            f"decided {seen.ship.action}",
            _is(seen.shipped, seen.ship, "Ship", "Win"),
        ),
        Promise(
            f"v2 had {early:g}% of the users at most before the decision, and {late:g}% after it",
            0 < early <= UNPROVEN and late == 100 and seen.promoted.phase == "Promoted",
        ),
        Promise(
            f"v3 had {largest_share(seen.swapped):g}% at most: the decision was about another model",
            0 < largest_share(seen.swapped) <= UNPROVEN,
        ),
        Promise(
            f"The smaller model was found worse: plays {_effect(seen.aborted)}; recommended "
            f"{seen.aborted.recommendation}, decided {seen.abort.action}",
            _is(seen.aborted, seen.abort, "Abort", "RegressionFound"),
        ),
        Promise("The decision to ship was recomputed from stored evidence, to the same result", seen.verified),
        of_load(seen.load),
    )


def _around(seen: Seen) -> tuple[float, float]:
    """The largest shares that v2 had before and since the decision to ship."""
    when = seen.ship.at
    early = [one for one in seen.rollout if one.at is not None and when is not None and one.at < when]
    return largest_share(early), largest_share([one for one in seen.rollout if one not in early])


def _is(experiment: Experiment, decision: Decision, action: str, outcome: str) -> bool:
    evident = decision.basis == "Evidence" and experiment.recommendation == decision.action == action
    return evident and experiment.outcome == outcome


def _effect(experiment: Experiment) -> str:
    return next((effect(result) for result in experiment.results if result.metric == "plays"), "not judged")


def tell(show: Show, plugin: Plugin, seen: Seen, kept: Sequence[Promise]) -> None:
    """The record, the promises, and the commands that show more."""
    show.heading("What is on record")
    plugin("decisions")
    show.heading("What happened")
    for promise in kept:
        (show.done if promise.kept else show.failed)(promise.text)
    for example in seen.load["failed"].get("examples", [])[:5]:
        show.prose(f"failed: user {example['user']} at {example['at']} s: {example['failure']}")
    _look_further(show, seen)


def _look_further(show: Show, seen: Seen) -> None:
    show.heading("Look further: the cluster is still there")
    for text in (
        'export KUBECONFIG="$(python -m dev.cluster kubeconfig)"',
        f"kubectl --namespace {NAMESPACE} get experiments,decisions,modelrollouts",
        f"kubectl crossfade get {ROLLOUT} -n {NAMESPACE}  # or: uv run kubectl-crossfade",
        f"kubectl crossfade explain decision/{seen.abort.name} -n {NAMESPACE}",
        f"kubectl crossfade diff decision/{seen.ship.name} decision/{seen.abort.name} -n {NAMESPACE}",
        f"kubectl crossfade export decision/{seen.ship.name} -n {NAMESPACE} -o ship.json",
        "kubectl crossfade verify ship.json  # needs no cluster",
        f"python -m dev.cluster forward svc/crossfade-prometheus 9090:9090 --namespace {SYSTEM}",
        "make demo-down",
    ):
        show.command(text)
