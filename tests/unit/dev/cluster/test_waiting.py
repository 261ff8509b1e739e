"""Waiting ends with what was seen."""

import itertools

import pytest

from dev.cluster.errors import ClusterError
from dev.cluster.waiting import NotYetError, wait_for


def test_the_value_of_the_first_good_check_is_returned() -> None:
    counter = itertools.count()

    def third_time() -> str:
        if (seen := next(counter)) < 2:
            raise NotYetError(f"{seen}")
        return "there"

    assert wait_for("it", third_time, timeout=5, interval=0) == "there"
    assert next(counter) == 3


def test_giving_up_tells_what_was_awaited_what_was_seen_and_what_to_do() -> None:
    def never() -> None:
        raise NotYetError("2 of 3 pods")

    with pytest.raises(ClusterError) as failure:
        wait_for("3 pods", never, timeout=0, hint="see the logs")
    assert str(failure.value) == "waited 0 s for 3 pods, but saw: 2 of 3 pods\n  see the logs"


def test_an_error_that_is_not_about_time_ends_the_waiting_at_once() -> None:
    def broken() -> None:
        raise ClusterError("etcd has ended")

    with pytest.raises(ClusterError, match="etcd has ended"):
        wait_for("etcd", broken, timeout=60)
