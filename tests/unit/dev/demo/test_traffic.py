from __future__ import annotations

import socket

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.waiting import NotYetError, wait_for
from dev.demo.traffic import Traffic


def test_the_loads_own_counts_arrive_while_it_runs_and_when_it_is_stopped() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with Traffic(held.getsockname()[1], rate=50, seconds=60) as traffic:

            def counted() -> None:
                if traffic.failed < 5:
                    raise NotYetError(f"{traffic.failed} failures")

            wait_for("the load to count its refused requests", counted, timeout=30)
            last = traffic.stop()
    assert last["failed"]["kinds"] == {"refused": last["requests"]}


def test_a_load_that_cannot_start_is_told() -> None:
    with Traffic(99999, rate=50, seconds=60) as traffic:

        def ended() -> None:
            try:
                _ = traffic.latest
            except ClusterError:
                return
            raise NotYetError("still no error")

        wait_for("the load's refusal", ended, timeout=30)
        with pytest.raises(ClusterError, match="ended with status 2"):
            _ = traffic.latest
