"""Arms of experiments on a real router: split as asked, covered for, told apart, and nobody's business but theirs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from crossfade_operator.core.assignment import assign
from crossfade_operator.core.draw import draw, quotas
from crossfade_operator.core.routing import Backend, Slice
from tests.dataplane.conftest import NewModel, NewRouter
from tests.dataplane.load import Load, ask_all, told
from tests.dataplane.rig import Model, eventually, get
from tests.dataplane.tables import SALT, table

UNITS = [f"user-{number}" for number in range(20_000)]
CONTROL, TREATMENT = "taste.control", "taste.treatment"
CHI_SQUARE_999 = {1: 10.83, 3: 16.27}
"""99.9th percentiles of chi-square by degrees of freedom: tables of the distribution."""


def arm(model: Model, label: str, revision: str | None = None) -> Backend:
    """The pods of an arm; `revision` when they run what others run too."""
    return replace(model.backend, revision=revision or model.revision, arm=label)


def drawn(
    control: Backend, treatment: Backend, positions: int = 400, weights: tuple[int, int] = (1, 1)
) -> tuple[Slice, ...]:
    quota = quotas(positions, dict(zip((CONTROL, TREATMENT), weights, strict=True)))
    ranges = draw(quota, range(1000), blocks=6, seed="taste/1")
    return (Slice(CONTROL, control, ranges[CONTROL]), Slice(TREATMENT, treatment, ranges[TREATMENT]))


@pytest.mark.parametrize("weights", [(1, 1), (1, 3)], ids=["equal", "one-to-three"])
def test_users_are_split_as_the_weights_say(
    new_router: NewRouter, new_model: NewModel, stable_model: Model, weights: tuple[int, int]
) -> None:
    control, treatment = new_model("controlv1"), new_model("treatment2")
    slices = drawn(arm(control, CONTROL), arm(treatment, TREATMENT), weights=weights)
    router = new_router(table(stable_model.backend, slices=slices))
    answers = ask_all(router.port, UNITS)
    seen = Counter(told(answer)[0] for answer in answers)
    shares = {one.arm: one.positions / 1000 for one in slices} | {"stable": 0.6}
    statistic = sum((seen[name] - share * len(UNITS)) ** 2 / (share * len(UNITS)) for name, share in shares.items())
    assert set(seen) == set(shares)
    assert statistic < CHI_SQUARE_999[3], seen
    assert {answer.headers["x-revision"] for answer in answers if told(answer)[0] == TREATMENT} == {"treatment2"}


def test_an_arm_of_the_stable_model_is_told_from_stable(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    """Same revision, other pods: the counters say who answered."""
    own, treatment = new_model("controlpods"), new_model("treatment2")
    slices = drawn(arm(own, CONTROL, stable_model.revision), arm(treatment, TREATMENT))
    router = new_router(table(stable_model.backend, slices=slices))
    answers = ask_all(router.port, UNITS[:4000])
    assert {answer.headers["x-revision"] for answer in answers if told(answer)[0] == CONTROL} == {"controlpods"}
    counted = router.total("requests", arm=CONTROL, served=f"{CONTROL}.{stable_model.revision}")
    assert counted == sum(told(answer)[0] == CONTROL for answer in answers) > 500
    assert router.total("requests", arm="stable", served=stable_model.revision) == sum(
        told(answer)[0] == "stable" for answer in answers
    )
    buckets = {dict(labels)["abucket"] for labels in router.counters("requests") if dict(labels)["arm"] == TREATMENT}
    assert len(buckets) == 100


def test_killing_an_arm_under_load_fails_no_request_and_is_counted(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    control, doomed = new_model("controlv1"), new_model("doomed")
    router = new_router(table(stable_model.backend, slices=drawn(arm(control, CONTROL), arm(doomed, TREATMENT), 900)))
    with Load(router.port) as load:
        load.wait_for(300)
        doomed.kill()
        load.wait_for(600)
    assert (load.failed, load.broken) == (0, [])
    covered = router.total("requests", arm=TREATMENT, served=stable_model.revision)
    by_clients = sum(
        count
        for (_, revision, seen), count in load.seen.items()
        if seen.startswith(f"{TREATMENT}/") and revision == stable_model.revision
    )
    assert covered == by_clients > 50
    assert router.total("errors") == 0
    assert router.total("requests", arm=CONTROL, served=f"{CONTROL}.controlv1") == load.arms()[CONTROL]
    assert router.total("requests", arm="stable", served=stable_model.revision) == load.arms()["stable"]


@pytest.mark.parametrize(("status", "delay"), [(500, 0.0), (200, 3600.0)], ids=["answers 500", "hangs"])
def test_an_arm_that_fails_is_covered_for(
    new_router: NewRouter, new_model: NewModel, stable_model: Model, status: int, delay: float
) -> None:
    control, failing = new_model("controlv1"), new_model("failing", status=status, delay=delay)
    slices = drawn(arm(control, CONTROL), arm(failing, TREATMENT))
    router = new_router(table(stable_model.backend, slices=slices, try_timeout=timedelta(milliseconds=200)))
    units = [unit for unit in UNITS[:200] if _arm_of(unit, slices) == TREATMENT][:12]
    answers = [get(router.port, headers={"x-user-id": unit}) for unit in units]
    assert {(answer.status, answer.headers["x-revision"]) for answer in answers} == {(200, stable_model.revision)}
    eventually(
        "each counted", lambda: router.total("requests", arm=TREATMENT, served=stable_model.revision) == len(units)
    )


def _arm_of(unit: str, slices: tuple[Slice, ...]) -> str:
    position = assign(SALT, unit).position
    arms = [one.arm for one in slices for first, last in one.ranges if first <= position <= last]
    return arms[0] if arms else "stable"


@pytest.mark.timeout(1500)
def test_nobody_outside_its_slice_moves_when_an_experiment_starts_stops_or_dies(
    new_router: NewRouter, new_model: NewModel, stable_model: Model, candidate_model: Model
) -> None:
    control, treatment = new_model("controlv1"), new_model("treatment2")
    arms = (arm(control, CONTROL), arm(treatment, TREATMENT))
    slices = drawn(*arms)
    taken = {position for one in slices for first, last in one.ranges for position in range(first, last + 1)}
    free = [position for position in range(1000) if position not in taken][:100]
    candidate = Slice("candidate", candidate_model.backend, tuple((position, position) for position in free[:20]))
    units = UNITS[:4000]
    router = new_router(table(stable_model.backend, slices=(candidate,)))
    before = [(told(answer), answer.headers["x-revision"]) for answer in ask_all(router.port, units)]
    lives = (
        table(stable_model.backend, 2, slices=(candidate,), known=arms),
        table(stable_model.backend, 3, slices=(candidate, *slices)),
        table(stable_model.backend, 4, slices=(candidate, *slices)),
        table(stable_model.backend, 5, slices=(candidate,), known=arms),
        table(stable_model.backend, 6, slices=(candidate,)),
    )
    for change in lives:
        if change.generation == 4:
            treatment.kill()
        router.write(change)
        answers = ask_all(router.port, units)
        assert {answer.status for answer in answers} == {200}
        for unit, answer, was in zip(units, answers, before, strict=True):
            arm_now = _arm_of(unit, change.slices)
            if arm_now in (CONTROL, TREATMENT):
                assert told(answer)[0] == arm_now
            else:
                assert (told(answer), answer.headers["x-revision"]) == was, (
                    f"{unit} moved in generation {change.generation}"
                )


def test_testers_force_an_arm(new_router: NewRouter, new_model: NewModel, stable_model: Model) -> None:
    control, treatment = new_model("controlv1"), new_model("treatment2")
    slices = drawn(arm(control, CONTROL), arm(treatment, TREATMENT))
    router = new_router(table(stable_model.backend, slices=slices, testers=True))
    for label, revision in ((CONTROL, "controlv1"), (TREATMENT, "treatment2"), ("stable", stable_model.revision)):
        answer = get(router.places.testers, headers={"x-user-id": "u1", "x-crossfade-arm": label})
        assert (answer.headers["x-revision"], answer.headers["x-seen"]) == (revision, f"{label}/forced")
    assert get(router.places.testers, headers={"x-user-id": "u1", "x-crossfade-arm": "taste.other"}).status == 404
    assert told(get(router.port, headers={"x-user-id": "u1", "x-crossfade-arm": TREATMENT})) == told(  # type: ignore[arg-type]
        get(router.port, headers={"x-user-id": "u1"})  # type: ignore[arg-type]
    ), "users cannot"


def test_pods_of_an_arm_are_found_under_its_name(
    new_router: NewRouter, new_model: NewModel, stable_model: Model
) -> None:
    """What the controller waits for before it sends anybody there."""
    backend = arm(new_model("controlv1"), CONTROL, stable_model.revision)
    router = new_router(table(stable_model.backend, known=(backend,)))
    eventually("a healthy pod", lambda: router.envoy_stat(rf"^cluster\.{backend.name}-slice\.membership_healthy"))
