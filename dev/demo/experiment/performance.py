"""The play itself: two models and a twin compared, a rollout that waits for the result, a swap, a model given up."""

from __future__ import annotations

import json
from pathlib import Path

from crossfade_operator.cli.decisions.view import Decision
from crossfade_operator.cli.experiments.view import Experiment
from crossfade_operator.cli.rollouts import view as rollouts
from dev.demo.acts import Following
from dev.demo.experiment import gated, summary
from dev.demo.experiment.scene import Scene
from dev.demo.experiment.summary import Seen
from dev.demo.experiment.trials import FOLDER, over
from dev.demo.kube import ENDPOINT, NAMESPACE, Kube
from dev.demo.opening import first_model, listeners
from dev.demo.show import Show
from dev.demo.staging import clear_stage
from dev.demo.traffic import Traffic

LONGEST_LOAD = 1800.0
AB, AA, ABORT = "new-ranker", "twin", "small-ranker"
_START_SECONDS, _RUN_SECONDS = 240.0, 660.0
_GATE_SECONDS, _PROMOTE_SECONDS, _WITHDRAW_SECONDS = 240.0, 360.0, 120.0
_LISTENERS = (
    "5,000 simulated listeners ask for recommendations, play what they like of them, and report how many tracks they "
    "played: POST /v1/outcomes, to the same address. The routers find the arm of a report by its user."
)


def perform(kube: Kube, show: Show, *, rate: float, report: Path | None = None) -> bool:
    """Play all of it; True when everything happened as promised."""
    clear_stage(kube)
    first_model(kube, show, FOLDER)
    with (
        kube.forwarding(ENDPOINT, 80, NAMESPACE) as port,
        Traffic(port, rate=rate, seconds=LONGEST_LOAD, outcomes=True) as traffic,
    ):
        listeners(show, traffic, _LISTENERS)
        scene = Scene.of(kube, show, traffic)
        seen = _acts(scene)
    kept = summary.promises(seen)
    summary.tell(show, scene.plugin, seen, kept)
    if report is not None:
        report.write_text(json.dumps({"load": seen.load, "promises": {p.text: p.kept for p in kept}}, indent=2) + "\n")
    return all(promise.kept for promise in kept)


def _acts(scene: Scene) -> Seen:
    _start(scene)
    following = _deploy(scene)
    twin, shipped = _compare(scene)
    ship = _ship(scene, shipped)
    promoted = _reach(scene, following)
    swapped = _swap(scene)
    aborted, abort = _give_up(scene)
    verified = _verify(scene, ship)
    return Seen(
        twin, shipped, ship, promoted, following.news(promoted), swapped, aborted, abort, verified, scene.traffic.stop()
    )


def _start(scene: Scene) -> None:
    scene.show.heading("An experiment: is v2 worth more to its listeners?")
    scene.trials.apply("ab")
    scene.plugin("plan", f"exp/{AB}")
    scene.plugin("start", f"exp/{AB}", quiet=True)
    scene.show.prose(
        "Beside it the same model twice, on users of their own: were equal models found different, no result of this "
        "endpoint would count."
    )
    scene.trials.apply("aa")
    scene.plugin("start", f"exp/{AA}", quiet=True)
    scene.trials.until([AB, AA], lambda one: one.phase not in ("Draft", "InReview", "Approved"), _START_SECONDS)


def _deploy(scene: Scene) -> Following:
    scene.show.heading("Meanwhile v2 is deployed: only its reach waits for the result")
    following = scene.following()
    following.apply(gated.manifest())
    waiting = following.until(gated.waits_at_gate, _GATE_SECONDS)
    scene.show.done(f"v2 waits with {waiting.slice} of the users: {waiting.message}")
    return following


def _compare(scene: Scene) -> tuple[Experiment, Experiment]:
    scene.show.heading("The experiments' looks")
    seen = scene.trials.until([AB, AA], over, _RUN_SECONDS)
    scene.plugin("get", f"exp/{AB}")
    return seen[AA], seen[AB]


def _ship(scene: Scene, experiment: Experiment) -> Decision:
    scene.show.heading("A person decides, and the record says on what")
    scene.decide(AA, "abort", "Equal models were found equal: there is nothing to ship")
    found = next((result.relative for result in experiment.results if result.role == "Success"), None)
    decision = scene.decide(AB, "ship", f"Listeners play {found:+.0%} per session" if found else "As recommended")
    scene.plugin("explain", f"decision/{decision.name}")
    return decision


def _reach(scene: Scene, following: Following) -> rollouts.Rollout:
    scene.show.heading("The gate is open: v2 goes on by itself")
    rollout = following.until(lambda seen: seen.ended, _PROMOTE_SECONDS)
    (scene.show.done if rollout.phase == "Promoted" else scene.show.failed)(f"v2 is {rollout.phase}")
    return rollout


def _swap(scene: Scene) -> tuple[rollouts.Decision, ...]:
    scene.show.heading("Another model, with v2's decision in its hand")
    following = scene.following()
    gated.swap(scene.kube, scene.show, "v2", "v3")
    waiting = following.until(gated.waits_at_gate, _GATE_SECONDS)
    scene.show.done(f"v3 is refused more than {waiting.slice}: {waiting.message}")
    following.apply(gated.manifest())
    back = following.until(lambda seen: seen.settled and seen.candidate is None, _WITHDRAW_SECONDS)
    return following.news(back)


def _give_up(scene: Scene) -> tuple[Experiment, Decision]:
    scene.show.heading("An experiment that says no: would the smaller model do?")
    scene.trials.apply("abort")
    scene.plugin("start", f"exp/{ABORT}", quiet=True)
    seen = scene.trials.until([ABORT], over, _START_SECONDS + _RUN_SECONDS)
    return seen[ABORT], scene.decide(ABORT, "abort", "Listeners notice: they play less")


def _verify(scene: Scene, decision: Decision) -> bool:
    scene.show.heading("The decision, recomputed from stored evidence, without Prometheus")
    return scene.plugin("verify", f"decision/{decision.name}") == 0
