"""Whatever happens in whatever order, the rules that keep it honest hold after every turn."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade_operator.api.meta import rfc3339
from crossfade_operator.core.routing import name_of_arm
from tests.fakes.cluster import Crash
from tests.scenario import parts as scripted
from tests.scenario.world import KEY, STEPS, World, endpoint, experiment, revision, rollout

IMAGES = ("v1", "v2", "v3")
JUDGES = {name: getattr(scripted, name) for name in ("proven", "harmful", "undecided", "unavailable")}
BLIND = ("undecided", "unavailable")

Event = tuple[str, Any]

EXPERIMENTS = st.sampled_from(["taste", "smell"])

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
        st.tuples(
            st.just("experiment"), st.tuples(st.sampled_from(["taste", "smell"]), st.sampled_from([20, 200, 480]))
        ),
        st.tuples(st.just("stop"), st.sampled_from(["taste", "smell"])),
        st.tuples(st.just("delete"), st.sampled_from(["taste", "smell"])),
        st.tuples(st.just("hide arms"), st.booleans()),
        st.tuples(st.just("gate"), st.booleans()),
        st.tuples(st.just("conclude"), st.sampled_from(["Ship", "Ship of another", "Abort"])),
        st.tuples(st.just("review"), st.sampled_from(["Approve", "Dissent"])),
        st.tuples(st.just("holdout"), st.sampled_from([None, "1%", "30%"])),
        st.tuples(st.just("wait"), st.integers(1, 900)),
    ),
    min_size=5,
    max_size=40,
)


def _routed(status: dict[str, Any], *arms: str) -> set[tuple[tuple[str, str], ...]]:
    """The entries of a ledger that the table follows, of these arms or all, as values."""
    entries = [entry for entry in status.get("ledger", []) if entry["arm"] != "cooldown"]
    return {
        tuple((key, str(value)) for key, value in sorted(entry.items()) if key != "generation")
        for entry in entries
        if not arms or entry["arm"] in arms
    }


class Watched(World):
    """A world that checks the rules after each turn, against what it was before."""

    def __init__(self) -> None:
        super().__init__()
        self.judge, self.tokens, self.runs = "proven", 0, 0
        self.wanted, self.gates = "v1", dict[str, Any]()
        self.ship: tuple[str, Any] | None = None
        """The model of the last Ship and until when it opens gates; None after an Abort."""
        self._before: dict[str, Any] = {}
        self._decided = 0

    async def turn(self) -> Any:
        self._before = self.endpoint_status
        self._decided = self.status.decision_count if self.cluster.get("ModelRollout", "recs", "ranker") else 0
        outcome = await super().turn()
        self._no_share_changes_without_a_decision()
        self._what_a_table_carries_is_on_record()
        self._granted_experiments_stay_as_they_are()
        self._positions_are_held_once_and_stable_keeps_its_floor()
        self._whoever_is_routed_to_has_pods()
        self._steps_follow_one_another_in_time()
        self._nothing_is_decided_blindly()
        self._reach_waits_for_its_gates()
        return outcome

    def _no_share_changes_without_a_decision(self) -> None:
        now, before = self.endpoint_status, self._before
        if not before or not now:
            return
        assert now["route"]["generation"] >= before["route"]["generation"]
        routed = [(_routed(status), status.get("stableRevision")) for status in (before, now)]
        if routed[0] != routed[1]:
            assert now["route"]["generation"] > before["route"]["generation"]
        rollouts = [(_routed(status, "candidate", "mirror"), status.get("stableRevision")) for status in (before, now)]
        if rollouts[0] != rollouts[1]:
            assert now["route"]["decision"] == self.status.decisions[-1].name
        elif _routed(before, "experiment") != _routed(now, "experiment"):
            assert "-exp-" in now["route"]["decision"]

    def _granted_experiments_stay_as_they_are(self) -> None:
        """Until they stop, and one holder's slice changes at a time."""
        before, now = (_routed(status, "experiment") for status in (self._before, self.endpoint_status))
        changed = {dict(entry)["holder"] for entry in before ^ now}
        assert len(changed) <= 1
        for holder in changed:
            asked = self.cluster.get("Experiment", KEY.namespace, holder.partition("/")[2]) or {}
            request = asked.get("status", {}).get("sliceRequest", {}).get("id")
            gone = [dict(entry) for entry in before - now]
            assert all(entry["request"] != request for entry in gone), f"{holder} lost what it still asks for"

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
            for span in entry["ranges"] if entry["arm"] != "cooldown" else ():
                held += range(span["from"], span["to"] + 1)
        assert len(held) == len(set(held))
        assert len(held) <= 950

    def _whoever_is_routed_to_has_pods(self) -> None:
        status, deployed = self.endpoint_status, self.deployed()
        own = [entry for entry in status.get("ledger", []) if entry["arm"] not in ("experiment", "cooldown")]
        routed = {entry["revision"] for entry in own} | {status.get("stableRevision")}
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

    def _reach_waits_for_its_gates(self) -> None:
        for decision in self._new_decisions():
            wide = decision.slice not in ("0%", "1%") and decision.action in ("Advance", "Promote")
            if self.gates and wide and decision.reason != "FirstRevision":
                assert self.ship is not None, f"{decision.name} went beyond 5 % without a Ship"
                model, until = self.ship
                assert (decision.model_digest, decision.at < until) == (model, True)

    # Events ------------------------------------------------------------------------------------------------------

    async def happen(self, what: str, value: Any) -> None:
        match what:
            case "edit":
                self.wanted = value
                self.apply(rollout(value, **self.gates))
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
            case "experiment":
                name, positions = value
                self.runs += 1
                self.ask(experiment(name, positions, self.runs))
            case "gate":
                self.gates = {"gates": [{"experiment": "taste"}]} if value else {}
                self.apply(rollout(self.wanted, **self.gates))
            case "conclude":
                self._conclude(value)
            case "review":
                if self.status.candidate:
                    self.review("ben", value, **({"action": "Promote"} if value == "Approve" else {}))
            case "stop" | "delete":
                self._end(what, value)
            case "hide arms":
                names = [name_of_arm(f"{name}.treatment", revision("v9")) for name in ("taste", "smell")]
                self.routers.unreached = set(names) if value else set()
            case "holdout":
                until = (self.clock.time + timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
                self.apply(endpoint(**({"holdout": {"slice": value, "until": until}} if value else {})))
            case "deafen":
                self.routers.deaf = set(list(self.routers.running)[:1]) if value else set()
            case "jump":
                self.clock.time += timedelta(seconds=value)
            case _:
                await self.run(seconds=value)
        await self.turn()

    def _conclude(self, how: str) -> None:
        """The experiment that the gate names ends in a decision, for a quarter of an hour."""
        made = self.status.decisions[-1].model_digest or "sha256:unknown"
        model, until = (made if how == "Ship" else "sha256:another"), self.clock.time + timedelta(minutes=15)
        self.ship = (model, until) if how.startswith("Ship") else None
        self.decide_on(
            "taste",
            how.partition(" ")[0],
            subject={"modelDigest": model},
            basis="Evidence",
            actor="ana",
            rule="experiment@1",
            reason="Decided",
            at=rfc3339(self.clock.time),
            expiresAt=rfc3339(until),
            retainUntil=rfc3339(until),
        )

    def _end(self, how: str, name: str) -> None:
        if self.cluster.get("Experiment", KEY.namespace, name) is None:
            return
        if how == "stop":
            self.stop(name)
        else:
            self.cluster.remove("Experiment", KEY.namespace, name)

    def _ask(self, verb: str) -> None:
        self.tokens += 1
        name, _, full = verb.partition(" ")
        self.annotate("requested-by", "ana")
        self.annotate(name, f"{full}:{self.tokens}" if full else str(self.tokens))

    def _kill_after(self, writes: int) -> None:
        left = [writes]

        def fail(_verb: str, _kind: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        self.cluster.fail = fail


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_the_rules_hold_after_every_turn(events: list[Event]) -> None:
    async def play() -> None:
        world = Watched()
        world.apply(rollout("v1"))
        await world.run(seconds=60)
        for what, value in events:
            await world.happen(what, value)

    asyncio.run(play())


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
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
            ("gate", False),
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
