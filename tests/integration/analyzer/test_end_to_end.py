"""The analyzer as a process, a real Prometheus, routers' counters: verdicts, verification, and kill -9."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from crossfade_analyzer.contract import Evaluation, EvaluationRequest, Verdict
from crossfade_analyzer.snapshots import Kind, Snapshot
from tests.fakes.requests import ERRORS, LATENCY, request
from tests.integration.analyzer.conftest import Rollout
from tests.integration.analyzer.prometheus_server import PrometheusServer
from tests.integration.analyzer.service_process import Service, run

SLOWER = {"25ms": 0.5, "100ms": 0.1, "500ms": 0.01}


class Users:
    """Seeded traffic: users with a bucket, a router that answers, and outcomes by arm."""

    def __init__(self, rollout: Rollout, seed: int) -> None:
        self._rollout, self._random = rollout, random.Random(seed)
        self.sent = [0, 0]

    def send(self, requests: int, share: float, error_rates: tuple[float, float]) -> None:
        for _ in range(requests):
            arm = int(self._random.random() < share)
            latency = self._random.random()
            self.sent[arm] += 1
            self._random.choice(self._rollout.routers).served(
                ("stable", "candidate")[arm],
                self._random.randrange(100),
                1,
                int(self._random.random() < error_rates[arm]),
                {bound: int(latency < tail) for bound, tail in SLOWER.items()},
            )


@pytest.fixture
def service(rollout: Rollout, tmp_path: Path) -> Iterator[Service]:
    made = Service(rollout.prometheus.url, rollout.store_url, tmp_path)
    made.start()
    yield made
    made.kill()


def evaluation(rollout: Rollout, **fields: object) -> EvaluationRequest:
    chosen: dict[str, object] = {"endpoint": rollout.endpoint, "metrics": (ERRORS, LATENCY), "interval_seconds": 1.0}
    return request(rollout.since, **{**chosen, **fields})  # type: ignore[arg-type]


def play(rollout: Rollout, service: Service, error_rates: tuple[float, float], rounds: int = 20) -> Evaluation:
    """Traffic and evaluations until there is a verdict."""
    users = Users(rollout, seed=7)
    users.send(3000, 0.0, error_rates)
    rollout.prometheus.scraped(*rollout.served)
    rollout.since = time.time_ns() // 1_000_000
    rollout.prometheus.scraped(*rollout.served)
    for _ in range(rounds):
        users.send(4000, 0.1, error_rates)
        rollout.prometheus.scraped(*rollout.served)
        seen = service.evaluate(evaluation(rollout))
        if seen.verdict in {Verdict.HARMFUL, Verdict.PROVEN}:
            return seen
    raise AssertionError(f"no verdict after {rounds} rounds: {seen}")


def test_a_good_candidate_becomes_proven(rollout: Rollout, service: Service) -> None:
    seen = play(rollout, service, (0.01, 0.01))
    assert seen.verdict is Verdict.PROVEN, seen.message
    verified = run("verify", str(seen.digest), store=rollout.store_url)
    assert (verified.returncode, verified.stdout.startswith("verified: ")) == (0, True), verified


def test_a_bad_candidate_is_harmful_and_stays_verifiable(
    own_prometheus: Callable[..., PrometheusServer], tmp_path: Path
) -> None:
    server = own_prometheus()
    rollout = Rollout(server, tmp_path)
    service = Service(server.url, rollout.store_url, tmp_path)
    try:
        service.start()
        seen = play(rollout, service, (0.01, 0.05))
    finally:
        service.kill()
        rollout.close()
        server.stop()
    assert seen.verdict is Verdict.HARMFUL, seen.message
    verified = run("verify", str(seen.digest), store=rollout.store_url)
    assert verified.returncode == 0, verified
    assert "Harmful by rollout@1" in verified.stdout


def test_changed_evidence_is_found_and_named(rollout: Rollout, tmp_path: Path) -> None:
    digest = str(rollout.begun().digest)
    rollout.store.close()
    path = tmp_path / "evidence.db"
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("""UPDATE entries SET body = replace(body, '"look":1', '"look":2') WHERE kind = 'look'""")
    connection.close()
    verified = run("verify", digest, store=rollout.store_url)
    assert verified.returncode == 1, verified
    assert "entry 1 (look): stored digest" in verified.stdout
    assert "verdict: look: stored 1, recomputed 2" in verified.stdout


def test_an_unknown_digest_is_no_verification(rollout: Rollout) -> None:
    verified = run("verify", "sha256:" + "0" * 64, store=rollout.store_url)
    assert verified.returncode == 2
    assert "no look in the evidence store" in verified.stderr


@pytest.mark.timeout(900)  # the service starts five times
def test_killed_in_the_middle_nothing_is_lost_or_doubled(rollout: Rollout, service: Service) -> None:
    rollout.prometheus.scraped(*rollout.served)
    users, rng, stop = Users(rollout, seed=11), random.Random(11), threading.Event()

    def ask_on() -> None:
        while not stop.is_set():
            try:
                service.evaluate(evaluation(rollout, metrics=(ERRORS,)))
            except httpx.HTTPError:
                stop.wait(0.02)

    rollout.begun()
    rollout.prometheus.scraped(*rollout.served)
    base = rollout.ask().requests  # all that was sent so far
    asker = threading.Thread(target=ask_on)
    for _ in range(3):
        service.kill()
        service.start()
        if not asker.is_alive():
            asker.start()
        users.send(500, 0.2, (0.01, 0.01))
        stop.wait(rng.uniform(0.2, 1.5))  # so that the kill falls anywhere in an evaluation
    service.kill()
    stop.set()
    asker.join(90)
    service.start()
    rollout.prometheus.scraped(*rollout.served)
    seen = rollout.until("all is counted", lambda e: e.requests.control - base.control >= users.sent[0])
    assert (seen.requests.control - base.control, seen.requests.candidate - base.candidate) == tuple(users.sent)
    looks = [e for e in rollout.store.chain(seen.subject) if e.kind is Kind.LOOK]
    ends = [Snapshot.of(e.content()) for e in looks]
    assert [snapshot.look for snapshot in ends] == list(range(1, len(looks) + 1))
    assert all(earlier.end == later.start for earlier, later in pairwise(ends))
    assert run("verify", str(seen.digest), store=rollout.store_url).returncode == 0
