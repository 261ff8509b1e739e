"""A table that would hurt users is refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossfade_operator.core.routing import Backend, InvalidTable, RoutingTable, Slice, check, digest, milliseconds

A = Backend("aaaa", "ranker-aaaa.recs.svc.cluster.local", 8080)
B = Backend("bbbb", "ranker-bbbb.recs.svc.cluster.local", 8080, 8081)
C = Backend("cccc", "ranker-cccc.recs.svc.cluster.local", 8080)
GOOD = RoutingTable(
    endpoint="recs/ranker",
    generation=4,
    decision="ranker-4",
    salt="ranker-2026q4",
    stable=A,
    slices=(Slice("candidate", B, ((0, 99), (200, 249))), Slice("holdout", A, ((990, 999),))),
    known=(C,),
    unit_header="x-user-id",
)

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "endpoint-without-namespace": ({"endpoint": "ranker"}, "endpoint 'ranker' is not of the form namespace/name"),
    "negative-generation": ({"generation": -1}, "generation -1 is negative"),
    "endless-decision": ({"decision": "d" * 254}, "the decision's name is longer than 253"),
    "no-salt": ({"salt": ""}, "the salt must be 1 to 253 printable ASCII characters"),
    "salt-with-newline": ({"salt": "a\nb"}, "the salt must be 1 to 253 printable ASCII characters"),
    "no-unit": ({"unit_header": None}, "exactly one of unit header and unit cookie"),
    "two-units": ({"unit_cookie": "uid"}, "exactly one of unit header and unit cookie"),
    "unit-is-no-header": ({"unit_header": "x user"}, "unit header 'x user' is not a header name"),
    "unit-is-internal": ({"unit_header": "X-Arm"}, "unit header 'X-Arm' is reserved"),
    "unit-is-envoys": ({"unit_header": "x-envoy-max-retries"}, "is reserved: choose another header"),
    "unit-is-the-host": ({"unit_header": "Host"}, "is reserved: choose another header"),
    "cookie-with-equals": ({"unit_header": None, "unit_cookie": "u=d"}, "unit cookie 'u=d' is not a cookie name"),
    "reward-is-internal": ({"reward_header": "x-crossfade-x"}, "reward header 'x-crossfade-x' is reserved"),
    "no-bound": ({"latency_bounds": ()}, "0 latency bounds are given: 1 to 12"),
    "thirteen-bounds": ({"latency_bounds": tuple(f"{n}s" for n in range(1, 14))}, "13 latency bounds are given"),
    "bound-of-zero": ({"latency_bounds": ("0ms",)}, "latency bound '0ms' is not a duration above zero"),
    "bound-without-unit": ({"latency_bounds": ("5",)}, "latency bound '5' is not a duration"),
    "falling-bounds": ({"latency_bounds": ("1s", "500ms")}, "latency bounds must increase, but 500ms follows 1s"),
    "equal-bounds": ({"latency_bounds": ("1s", "1000ms")}, "latency bounds must increase, but 1000ms follows 1s"),
    "no-time": ({"request_timeout": timedelta(0)}, "request timeout 0:00:00 is not within 24 hours"),
    "try-longer-than-request": ({"try_timeout": timedelta(minutes=2)}, "try timeout 0:02:00 must be above zero"),
    "health-path-without-slash": ({"health_path": "ready"}, "health path 'ready' must start with /"),
    "health-path-with-newline": ({"health_path": "/a\r\nb: c"}, "must start with / and have neither spaces"),
    "odd-revision": ({"known": (replace(C, revision="C+D"),)}, "revision 'C+D' is not made of"),
    "odd-host": ({"known": (replace(C, host="a b"),)}, "revision cccc: 'a b' is not a host name"),
    "port-zero": ({"known": (replace(C, http_port=0),)}, "revision cccc: port 0 is not within 1..65535"),
    "grpc-port-too-high": ({"known": (replace(C, grpc_port=70000),)}, "revision cccc: port 70000 is not within"),
    "two-addresses": ({"known": (replace(A, http_port=9),)}, "revision aaaa has two different addresses"),
    "slice-without-stable": ({"stable": None}, "a slice needs a stable revision to fall back to"),
    "unknown-arm": ({"slices": (Slice("treatment", B, ((0, 1),)),)}, "arm 'treatment' is unknown"),
    "candidate-is-stable": ({"slices": (Slice("candidate", A, ((0, 1),)),)}, "revision aaaa is stable and cannot"),
    "another-experiments-pods": (
        {"slices": (Slice("taste.control", replace(B, arm="smell.control"), ((0, 1),)),)},
        "arm 'taste.control' is unknown",
    ),
    "a-candidate-by-an-arms-pods": (
        {"slices": (Slice("candidate", replace(B, arm="taste.control"), ((0, 1),)),)},
        "arm 'candidate' is unknown",
    ),
    "odd-label": ({"known": (replace(C, arm="taste"),)}, "arm 'taste' is no arm's label"),
    "mirrored-holdout": ({"slices": (Slice("holdout", B, ((0, 1),), True),)}, "only a candidate can be mirrored to"),
    "empty-slice": ({"slices": (Slice("candidate", B, ()),)}, "holds no position"),
    "position-1000": ({"slices": (Slice("candidate", B, ((990, 1000),)),)}, "990..1000 is not a range within 0..999"),
    "backward-range": ({"slices": (Slice("candidate", B, ((9, 3),)),)}, "9..3 is not a range within"),
    "unsorted-ranges": (
        {"slices": (Slice("candidate", B, ((50, 59), (0, 9))),)},
        "its ranges overlap or are not sorted at 0..9",
    ),
    "overlapping-ranges": ({"slices": (Slice("candidate", B, ((0, 9), (9, 12))),)}, "not sorted at 9..12"),
    "overlapping-slices": (
        {"slices": (Slice("candidate", B, ((0, 9),)), Slice("holdout", C, ((9, 9),)))},
        "position 9 is in the candidate slice of revision bbbb and in the holdout slice of revision cccc",
    ),
    "two-candidates": (
        {"slices": (Slice("candidate", B, ((0, 9),)), Slice("candidate", C, ((20, 29),)))},
        "the candidate slice of revision cccc comes beside one of revision bbbb",
    ),
    "too-much": (
        {"slices": (Slice("candidate", B, ((0, 940),)), Slice("holdout", C, ((941, 950),)))},
        "the slices take 95.1 % of the users: at most 95 % may leave stable",
    ),
}


def test_a_good_table_passes() -> None:
    check(GOOD)


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_would_hurt_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidTable) as raised:
        check(replace(GOOD, **changes))
    assert sentence in str(raised.value)


def test_stable_keeps_five_percent_but_a_mirror_takes_nothing_from_it() -> None:
    check(replace(GOOD, slices=(Slice("candidate", B, ((0, 949),)),)))
    check(replace(GOOD, slices=(Slice("candidate", B, ((0, 999),), mirror=True),)))


def test_a_holdout_may_stay_on_what_is_stable_still() -> None:
    check(replace(GOOD, slices=(Slice("holdout", A, ((0, 9),)),)))


@pytest.mark.parametrize(
    ("bound", "length"), [("1ms", 1), ("2500ms", 2500), ("1s", 1000), ("2m", 120_000), ("1h", 3_600_000)]
)
def test_a_bound_has_a_length(bound: str, length: int) -> None:
    assert milliseconds(bound) == length


def test_the_digest_is_of_what_the_table_does() -> None:
    assert digest(GOOD) == digest(replace(GOOD, generation=5, decision="other"))
    changed = (
        {"salt": "other"},
        {"slices": ()},
        {"known": ()},
        {"testers": True},
        {"request_timeout": timedelta(seconds=1)},
        {"slices": (replace(GOOD.slices[0], mirror=True), GOOD.slices[1])},
    )
    found = {digest(GOOD), *(digest(replace(GOOD, **change)) for change in changed)}
    assert len(found) == 1 + len(changed)


def test_a_slice_knows_its_size() -> None:
    assert [one.positions for one in GOOD.slices] == [150, 10]
