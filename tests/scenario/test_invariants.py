"""Whatever happens in whatever order, the rules that keep it honest hold after every turn."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.cluster import Crash
from tests.scenario import world as scripted
from tests.scenario.world import KEY, STEPS, World, revision, rollout

IMAGES = ("v1", "v2", "v3")
JUDGES = {name: getattr(scripted, name) for name in ("proven", "harmful", "undecided", "unavailable")}
BLIND = ("undecided", "unavailable")

Event = tuple[str, Any]

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.sampled_from(IMAGES)),
        st.tuples(st.just("judge"), st.sampled_from(sorted(JUDGES))),
        st.tuples(st.just("break"), st.sampled_from(IMAGES)),
        st.tuples(st.just("crash-loop"), st.sampled_from(IMAGES)),
        st.tuples(st.just("heal"), st.none()),
        st.tuples(st.just("kill"), st.integers(0, 12)),
        st.tuples(st.just("refuse records"), st.booleans()),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("ask"), st.sampled_from(["promote", "promote full", "abort", "retry"])),
        st.tuples(st.just("deafen"), st.booleans()),
        st.tuples(st.just("jump"), st.integers(-600, 3600)),
        st.tuples(st.just("wait"), st.integers(1, 900)),
    ),
    min_size=5,
    max_size=40,
)


class Watched(World):
    """A world that checks the rules after each turn, against what it was before."""

    def __init__(self) -> None:
        super().__init__()
        self.judge, self.tokens = "proven", 0
        self._before: dict[str, Any] = {}
        self._decided = 0

    async def turn(self) -> Any:
        self._before = self.endpoint_status
        self._decided = self.status.decision_count if self.cluster.get("ModelRollout", "recs", "ranker") else 0
        outcome = await super().turn()
        self._no_share_changes_without_a_decision()
        self._what_a_table_carries_is_on_record()
        self._positions_are_held_once_and_stable_keeps_its_floor()
        self._whoever_is_routed_to_has_pods()
        self._steps_follow_one_another_in_time()
        self._nothing_is_decided_blindly()
        return outcome

    def _no_share_changes_without_a_decision(self) -> None:
        now, before = self.endpoint_status, self._before
        if not before or not now:
            return
        assert now["route"]["generation"] >= before["route"]["generation"]
        shares = [(status.get("ledger"), status.get("stableRevision")) for status in (before, now)]
        if shares[0] != shares[1]:
            assert now["route"]["decision"] != before["route"]["decision"]
            assert now["route"]["generation"] > before["route"]["generation"]

    def _what_a_table_carries_is_on_record(self) -> None:
        """Every generation that serves anybody names one Decision, and only a way back may come before it."""
        route = self.endpoint_status.get("route", {})
        if not self.endpoint_status.get("stableRevision"):
            return
        name = route["decision"]
        taken_back = {one.name for one in self.status.decisions if one.action in ("Rollback", "Supersede", "Withdraw")}
        assert name in taken_back or self.cluster.get("Decision", KEY.namespace, name), f"{name} is not on record"

    def _positions_are_held_once_and_stable_keeps_its_floor(self) -> None:
        held: list[int] = []
        for entry in self.endpoint_status.get("ledger", []):
            for span in entry["ranges"]:
                held += range(span["from"], span["to"] + 1)
        assert len(held) == len(set(held))
        assert len(held) <= 950

    def _whoever_is_routed_to_has_pods(self) -> None:
        status, deployed = self.endpoint_status, self.deployed()
        routed = {entry["revision"] for entry in status.get("ledger", [])} | {status.get("stableRevision")}
        for name in routed - {None}:
            assert deployed.get(name) == 2, f"{name} is routed to and has no pods"

    def _new_decisions(self) -> list[Any]:
        return [] if self.status.decision_count == self._decided else [self.status.decisions[-1]]

    def _steps_follow_one_another_in_time(self) -> None:
        decisions = self.status.decisions
        for earlier, later in itertools.pairwise(decisions):
            if later.reason not in ("StepProven", "AllStepsProven"):
                continue
            assert later.revision == earlier.revision, "only the candidate that took the last step takes the next"
            if later.reason == "StepProven":
                assert later.slice == STEPS[[step["slice"] for step in STEPS].index(earlier.slice) + 1]["slice"]

    def _nothing_is_decided_blindly(self) -> None:
        for decision in self._new_decisions():
            if decision.reason in ("StepProven", "AllStepsProven"):
                assert self.judge == "proven"
                assert not self.status.candidate or decision.evidence is not None
            if decision.reason == "EvidenceOfHarm":
                assert self.judge == "harmful"

    # Events ------------------------------------------------------------------------------------------------------

    async def happen(self, what: str, value: Any) -> None:
        match what:
            case "edit":
                self.apply(rollout(value))
            case "judge":
                self.judge, self.verdicts.judge = value, JUDGES[value]
            case "break":
                self.broken.add(revision(value))
            case "crash-loop":
                self.crashing.add(revision(value))
            case "heal":
                self.broken.clear()
                self.crashing.clear()
            case "kill":
                self._kill_after(value)
            case "refuse records":
                self.cluster.refuse = lambda obj: "no" if value and obj["kind"] == "Decision" else None
            case "pause":
                self.pause(value)
            case "ask":
                self._ask(value)
            case "deafen":
                self.routers.deaf = set(list(self.routers.running)[:1]) if value else set()
            case "jump":
                self.clock.time += timedelta(seconds=value)
            case _:
                await self.run(seconds=value)
        await self.turn()

    def _ask(self, verb: str) -> None:
        self.tokens += 1
        name, _, full = verb.partition(" ")
        self.annotate(name, f"{full}:{self.tokens}" if full else str(self.tokens))

    def _kill_after(self, writes: int) -> None:
        left = [writes]

        def fail(_verb: str, _kind: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        self.cluster.fail = fail


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_the_rules_hold_after_every_turn(events: list[Event]) -> None:
    async def play() -> None:
        world = Watched()
        world.apply(rollout("v1"))
        await world.run(seconds=60)
        for what, value in events:
            await world.happen(what, value)

    asyncio.run(play())


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_whatever_happened_a_healthy_world_ends_with_the_wanted_model(events: list[Event]) -> None:
    async def play() -> None:
        world = Watched()
        world.apply(rollout("v1"))
        await world.run(seconds=60)
        for what, value in events:
            await world.happen(what, value)
        world.cluster.fail = lambda _verb, _kind: None
        for what, value in [
            ("heal", None),
            ("refuse records", False),
            ("judge", "proven"),
            ("pause", False),
            ("deafen", False),
            ("edit", "v9"),
        ]:
            await world.happen(what, value)
        world.clock.time += timedelta(hours=1)
        await world.run(until=lambda: world.status.stable_revision == revision("v9"))

    asyncio.run(play())


def test_the_watch_finds_a_share_without_a_decision() -> None:
    """The checks themselves can fail: a ledger changed behind the controller's back is noticed."""

    async def play() -> None:
        world = Watched()
        world.apply(rollout("v1"))
        await world.run(seconds=60)
        world.apply(rollout("v2"))
        await world.until_step(1)
        found = world.cluster.get("ModelEndpoint", KEY.namespace, KEY.endpoint)
        assert found is not None
        world._before = {**found["status"], "ledger": []}
        world._no_share_changes_without_a_decision()

    with pytest.raises(AssertionError):
        asyncio.run(play())
