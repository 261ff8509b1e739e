"""Whatever happens in whatever order, the rules that keep experiments honest hold after every turn."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade_operator.api.experiment_status import ExperimentPhase, ExperimentStatus
from crossfade_operator.core.experiment.graph import moves_between, reasons_of
from tests.fakes.cluster import Crash
from tests.scenario.learning import analyst as scripted
from tests.scenario.learning.world import DECIDER, DESIGN, NAMESPACE, STABLE, World, experiment, metric

JUDGES = {
    name: getattr(scripted, name) for name in ("collecting", "better", "worse", "neutral", "broken", "skewed", "away")
}
WINDING_DOWN = ("Draft", "Stopped", "Decided", "Invalid", "Archived")

Event = tuple[str, Any]

STARTS = st.sampled_from(
    [
        [],
        [("judge", "better"), ("wait", 1200)],
        [("judge", "worse"), ("wait", 300)],
        [("judge", "neutral"), ("wait", 1200), ("decide", "Abort"), ("wait", 60), ("run", None), ("wait", 60)],
    ]
)
"""Where the events begin: with a run under way, with a result, or with another run."""

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), st.sampled_from(["Draft", "Running", "Running", "Stopped", "Archived"])),
        st.tuples(st.just("judge"), st.sampled_from(sorted(JUDGES))),
        st.tuples(st.just("decide"), st.sampled_from(["Ship", "Abort", "Emergency Ship", "Emergency Abort", "other"])),
        st.tuples(st.just("review"), st.sampled_from(["Approve", "RequestChanges", "Dissent", "Approve Ship"])),
        st.tuples(st.just("crash-loop"), st.booleans()),
        st.tuples(st.just("swap"), st.booleans()),
        st.tuples(st.just("kill"), st.integers(0, 8)),
        st.tuples(st.just("full"), st.booleans()),
        st.tuples(st.just("serving"), st.booleans()),
        st.tuples(st.just("deafen"), st.booleans()),
        st.tuples(st.just("refuse records"), st.booleans()),
        st.tuples(st.just("edit"), st.sampled_from(["10%", "20%", "30%"])),
        st.tuples(st.just("edit metric"), st.integers(0, 3)),
        st.tuples(st.just("run"), st.none()),
        st.tuples(st.just("jump"), st.integers(-600, 7200)),
        st.tuples(st.just("wait"), st.integers(1, 1800)),
    ),
    min_size=5,
    max_size=30,
)
HISTORIES = st.tuples(STARTS, EVENTS).map(lambda parts: [*parts[0], *parts[1]])


class Watched(World):
    """A world that checks the rules after each turn, against what it was before."""

    def __init__(self) -> None:
        super().__init__(reviews={"approvals": 1})
        self._before, self._records = ExperimentStatus(), {}

    async def turn(self) -> Any:
        self._before = self.status
        self._records = {obj["metadata"]["name"]: obj["spec"] for obj in self.cluster.all("Decision")}
        due = await super().turn()
        self._nobody_is_asked_for_without_a_decision_to_run()
        self._a_design_never_changes_once_it_is_frozen()
        self._decisions_are_made_once_and_never_changed()
        self._nobody_ships_against_the_rule_alone()
        self._evidence_is_only_appended()
        self._arms_have_pods_while_anybody_is_sent_to_them()
        self._every_move_is_on_the_graph()
        return due

    def _of_this_run(self, action: str) -> list[dict[str, Any]]:
        status = self.status
        return [one for one in self.decisions if one["action"] == action and one["subject"]["attempt"] == status.run]

    def _nobody_is_asked_for_without_a_decision_to_run(self) -> None:
        if self.status.slice_request is not None:
            assert len(self._of_this_run("Run")) == 1
            assert self.status.slice_request.id.endswith(f"/{self.status.run}")

    def _a_design_never_changes_once_it_is_frozen(self) -> None:
        before, after = self._before, self.status
        if before.started_at is None or before.run != after.run:
            return
        kept = [(status.design, status.design_hash, status.metrics, status.started_at) for status in (before, after)]
        assert kept[0] == kept[1]
        pinned = [[(arm.name, arm.revision, arm.model_digest, arm.weight) for arm in s.arms] for s in (before, after)]
        assert pinned[0] == pinned[1]

    def _decisions_are_made_once_and_never_changed(self) -> None:
        now = {obj["metadata"]["name"]: obj["spec"] for obj in self.cluster.all("Decision")}
        assert now.items() >= self._records.items()
        for run in {spec["subject"]["attempt"] for spec in now.values()}:
            actions = [spec["action"] for spec in now.values() if spec["subject"]["attempt"] == run]
            assert len(actions) == len(set(actions)), f"run {run}: {actions}"
            assert len({"Ship", "Abort", "Invalidate"} & set(actions)) <= 1

    def _nobody_ships_against_the_rule_alone(self) -> None:
        for spec in self.decisions:
            if spec["action"] != "Ship":
                continue
            assert spec["actor"] == DECIDER
            if spec["basis"] == "Evidence":
                assert spec["recommendation"] == "Ship"
            if spec["basis"] == "Human":
                others = [
                    note for note in spec["reviews"] if note["verdict"] == "Approve" and note["reviewer"] != DECIDER
                ]
                assert others
                assert all(note["reason"] for note in others if note["reviewer"] == "carol")

    def _evidence_is_only_appended(self) -> None:
        before, after = self._before, self.status
        if before.run == after.run:
            assert after.windows >= before.windows
        for request in self.analyzer.asked:
            first = self.analyzer.opened.get(request.subject)
            assert first is None or (first.design, first.arms, first.since) == (
                request.design,
                request.arms,
                request.since,
            )

    def _arms_have_pods_while_anybody_is_sent_to_them(self) -> None:
        if self.holders() and not self.serving_away:
            assert self.arms() == {"two-tower.control", "two-tower.treatment"}

    def _every_move_is_on_the_graph(self) -> None:
        assert_on_the_graph(self._before, self.status)

    # Events ------------------------------------------------------------------------------------------------------

    async def happen(self, what: str, value: Any) -> None:
        match what:
            case "wish":
                self.edit(desiredState=value)
            case "judge":
                self.analyzer.judge = JUDGES[value]
            case "decide":
                self._decide(value)
            case "review":
                verdict, _, action = value.partition(" ")
                extra = {"action": action, "reason": "because"} if action else {}
                self.review(verdict, "carol" if action else "bob", **extra)
            case "crash-loop":
                self.crashing = {"treatment"} if value else set()
            case "swap":
                self.images = {"treatment": "swapped"} if value else {}
            case "kill":
                self._kill_after(value)
            case "full":
                self.full = "there is no room" if value else None
            case "serving":
                self.serving_away = value
            case "deafen":
                self.routers_deaf = value
            case "refuse records":
                self.cluster.refuse_records = value
            case "edit":
                self._edit(value)
            case "edit metric":
                source = {"numerator": f"plays_{value}", "denominator": "plays_count"}
                self.cluster.put(metric(prometheus=source))
            case "run":
                if self.status.phase in ("Draft", "Decided", "Invalid", "Archived"):
                    self.edit(run=self.obj()["spec"].get("run", 1) + 1, decision=None, desiredState="Running")
            case "jump":
                self.clock.time += timedelta(seconds=value)
            case _:
                await self.run(seconds=value)
        await self.turn()

    def _edit(self, share: str) -> None:
        """Another design, as far as admission lets it through."""
        if self.status.phase in (None, "Draft", "InReview"):
            self.edit(design={**DESIGN, "slice": share})

    def _decide(self, what: str) -> None:
        if self.status.phase in ("Decided", "Archived"):
            return
        lane, _, action = what.rpartition(" ")
        if what == "other":
            self.decide("Ship", by="mallory")
        else:
            self.decide(action, lane=lane or "Regular")

    def _kill_after(self, writes: int) -> None:
        left = [writes]

        def fail(_verb: str, _kind: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        self.cluster.fail = fail


def assert_on_the_graph(before: ExperimentStatus, after: ExperimentStatus) -> None:
    """From one recorded status to the next: at most one move, for one of its reasons, and shown as the table says."""
    if after == before:
        return
    assert after.phase is not None
    assert after.reason in reasons_of(after.phase), f"{after.phase} {after.reason}"
    if after.phase is not before.phase or after.run != before.run:
        entered = after.transitions[-1]
        assert entered.phase is after.phase
        moves = list(moves_between(before.phase, after.phase))
        assert any(entered.reason in move.reasons for move in moves), f"{before.phase} -> {after.phase}: {entered}"


async def play(events: list[Event]) -> Watched:
    world = Watched()
    world.apply(experiment())
    for what, value in [("wait", 60), ("review", "Approve"), ("wait", 60), *events]:
        await world.happen(what, value)
    return world


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(HISTORIES)
def test_the_rules_hold_after_every_turn(events: list[Event]) -> None:
    asyncio.run(play(events))


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(HISTORIES)
def test_whatever_happened_it_can_be_brought_to_its_end_and_leaves_records_only(events: list[Event]) -> None:
    async def to_the_end() -> None:
        world = await play(events)
        world.cluster.fail = lambda _verb, _kind: None
        world.crashing, world.images, world.full = set(), {}, None
        world.serving_away = world.routers_deaf = world.cluster.refuse_records = False
        world.analyzer.judge = scripted.neutral
        world.edit(desiredState="Stopped")
        await world.run(seconds=600)
        if world.status.phase == ExperimentPhase.STOPPED:
            world.decide("Abort")
            world.review("Approve", "carol", action="Abort", reason="be done with it")
            await world.run(seconds=600)
        assert world.status.phase in WINDING_DOWN, f"{world.status.phase} {world.status.message}"
        assert world.status.phase != ExperimentPhase.STOPPED, world.status.message
        assert (world.holders(), world.arms()) == (set(), set())
        world.delete()
        assert not world.exists, "nothing holds it any more"
        left = {kind for kind, _, _ in world.cluster.objects}
        assert left <= {"ModelEndpoint", "Metric", "ControllerRevision", "Decision", "Review"}
        assert {obj["metadata"]["name"] for obj in world.cluster.all("ControllerRevision")} == {f"ranker-{STABLE}"}

    asyncio.run(to_the_end())


async def test_the_watch_finds_a_slice_without_a_decision() -> None:
    """The checks themselves can fail: what is changed behind the controller's back is noticed."""
    world = await play([])
    await world.until_phase("Running")
    for obj in world.cluster.all("Decision"):
        world.cluster.remove("Decision", NAMESPACE, obj["metadata"]["name"])
    with pytest.raises(AssertionError):
        world._nobody_is_asked_for_without_a_decision_to_run()


async def test_the_watch_finds_a_changed_design_and_a_move_off_the_graph() -> None:
    world = await play([])
    await world.until_phase("Running")
    world._before = world.status.model_copy(update={"design": {}})
    with pytest.raises(AssertionError):
        world._a_design_never_changes_once_it_is_frozen()
    with pytest.raises(AssertionError, match="Archived"):
        assert_on_the_graph(world.status, world.status.model_copy(update={"phase": "Archived"}))
