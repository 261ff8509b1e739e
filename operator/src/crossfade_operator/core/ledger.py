"""Who holds which of an endpoint's positions: the holdout, the rollout's candidate, experiments, and what cools down.

Nobody's positions are ever given to another: a candidate grows around experiments, an experiment is granted only what
is free, a holdout that comes later waits. The slice of one holder changes at a time, so that each table has one cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from crossfade_operator.api.experiment_status import RequestedArm
from crossfade_operator.api.modelendpoint import Holdout, Policy
from crossfade_operator.api.modelendpoint_status import (
    LedgerArm,
    LedgerEntry,
    ModelEndpointStatus,
    PositionRange,
    RefusedRequest,
)
from crossfade_operator.core.draw import draw, free_of, quotas
from crossfade_operator.core.routing import MOST_POSITIONS
from crossfade_operator.core.slices import (
    POSITIONS,
    Grant,
    NoRoom,
    Range,
    allocate,
    compress,
    expand,
    percent,
    start_of,
)

HOLDOUT = "Holdout"
CANDIDATES = (LedgerArm.CANDIDATE, LedgerArm.MIRROR)
MOST_BLOCKS = 12
MOST_COOLING = 40
MOST_REFUSED = 64

Ledger = tuple[LedgerEntry, ...]


@dataclass(frozen=True)
class Entitlement:
    """What the rollout that holds the endpoint is entitled to now, by its recorded status."""

    rollout: str | None = None
    stable: str | None = None
    candidate: str | None = None
    positions: int = 0
    mirror: bool = False
    decision: str = ""
    """The rollout's last decision."""
    stable_decision: str = ""
    """The decision by which the stable revision became so."""
    starting: str | None = None
    """The candidate that has no slice yet: routers are to find its pods."""
    attempt: int = 1
    """The candidate's, counted over the rollout's life."""


@dataclass(frozen=True)
class Request:
    """A slice that an experiment asks for. `decision` is its Run decision, None while there is none on record."""

    holder: str
    id: str
    positions: int
    arms: tuple[RequestedArm, ...]
    decision: str | None = None
    reached: bool = False
    """The routers' table knows every arm, and every router reaches a healthy pod of each."""


@dataclass(frozen=True)
class Claims:
    """Everything that a ledger may depend on. `room` says how many blocks of these arms' runs a table has room for."""

    ledger: Ledger
    want: Entitlement
    existing: frozenset[str]
    """The revisions that can be routed to."""
    policy: Policy
    holdout: Holdout | None
    salt: str
    now: datetime
    requests: tuple[Request, ...] = ()
    """What experiments ask for, who asked first before the others."""
    latest: Mapping[str, str] = field(default_factory=dict)
    """The newest decision about each experiment that holds something, by holder."""
    room: Callable[[Sequence[str]], int] = lambda _arms: MOST_BLOCKS


@dataclass(frozen=True)
class Allotment:
    """The next ledger. `problem` says why the candidate or holdout did not get what it is entitled to."""

    ledger: Ledger
    refused: tuple[RefusedRequest, ...] = ()
    problem: str | None = None
    cause: str | None = None
    """The decision of an experiment whose slice is granted or goes back."""
    announced: tuple[Request, ...] = ()
    """The requests whose arms the routers are to find: granted, or waiting to be reached."""
    more: bool = False
    """Another holder's slice is to change, in the next turn."""


def allot(claims: Claims) -> Allotment:
    """The next ledger. The rollout and the holdout come first; then one experiment's slice goes back or is granted."""
    own, problem = _rollouts_part(claims)
    theirs, cooling = _experiments(claims.ledger), _cooling(claims.ledger, claims.now)
    ledger = (*own, *theirs, *cooling)
    refusals = _refusals(claims, ledger)
    waiting = _holdout_waits(claims)
    refused = (*waiting, *(refusal for _, refusal in refusals))[:MOST_REFUSED]
    fitting = [one for one in _waiting(claims) if one.holder not in {asked.holder for asked, _ in refusals}]
    announced = (*(one for one in claims.requests if is_granted(claims.ledger, one)), *fitting)
    turn = Allotment(ledger, refused, problem, announced=announced)
    changed = _without_times(own) != _without_times(_owns(claims.ledger))
    released, reached = _to_release(claims), [one for one in fitting if one.reached]
    if changed or not (released or reached):
        return replace(turn, more=changed and bool(released or reached))
    if released:
        return replace(
            turn,
            ledger=(*own, *(one for one in theirs if one.holder != released), *_cool(claims, released, cooling)),
            cause=claims.latest.get(released),
            more=True,
        )
    granted = (*own, *theirs, *_drawn(claims, ledger, reached[0]), *cooling)
    return replace(turn, ledger=granted, cause=reached[0].decision, more=len(reached) > 1)


def _owns(ledger: Ledger) -> Ledger:
    return tuple(one for one in ledger if one.arm in (*CANDIDATES, LedgerArm.HOLDOUT))


def _experiments(ledger: Ledger) -> Ledger:
    return tuple(one for one in ledger if one.arm is LedgerArm.EXPERIMENT)


def _without_times(ledger: Ledger) -> set[LedgerEntry]:
    return {one.model_copy(update={"generation": 0}) for one in ledger}


# The rollout's candidate and the holdout -----------------------------------------------------------------------


def floor_of(policy: Policy) -> int:
    """A floor below what every table keeps for the comparison would grant slices that no router could be given."""
    return max(policy.stable_floor.positions, POSITIONS - MOST_POSITIONS)


def holdout_ranges(claims: Claims) -> tuple[Range, ...]:
    """The holdout has the last positions, so that no slice has to grow around it."""
    wanted = claims.holdout
    if wanted is None or claims.now >= wanted.until:
        return ()
    return ((POSITIONS - wanted.slice.positions, POSITIONS - 1),)


def no_room(claims: Claims, positions: int) -> str | None:
    """Why a candidate could not be given this many positions, or None when it could."""
    ranges = holdout_ranges(claims)
    held_out = [Grant(HOLDOUT, LedgerArm.HOLDOUT.value, "", ranges)] if ranges else []
    others = [*held_out, *map(grant_of, _experiments(claims.ledger))]
    try:
        allocate(positions, start=0, held=(), others=others, floor=floor_of(claims.policy))
    except NoRoom as refusal:
        return str(refusal)
    return None


def _rollouts_part(claims: Claims) -> tuple[Ledger, str | None]:
    holdout, problem = _holdout(claims)
    want, experiments = claims.want, _experiments(claims.ledger)
    if want.candidate is None or want.candidate not in claims.existing:
        return holdout, problem
    arm = LedgerArm.MIRROR if want.mirror else LedgerArm.CANDIDATE
    present = next((one for one in claims.ledger if one.revision == want.candidate and one.arm is arm), None)
    others = map(grant_of, (*holdout, *experiments))
    held = ranges_of(present) if present else ()
    try:
        ranges = allocate(
            want.positions,
            start=start_of(want.candidate, want.attempt),
            held=held,
            others=others,
            floor=floor_of(claims.policy),
        )
    except NoRoom as refusal:
        # What is granted already stays until what is wanted fits: a holdout that came later takes nobody's positions.
        recorded = tuple(one for one in _owns(claims.ledger) if one.revision in claims.existing)
        return (recorded if present else holdout), str(refusal)
    return (*holdout, _entry(f"ModelRollout/{want.rollout}", arm, want.candidate, ranges)), problem


def _holdout(claims: Claims) -> tuple[Ledger, str | None]:
    """The holdout keeps the revision that was stable when it began, until it ends or that revision is gone."""
    present = next((one for one in claims.ledger if one.arm is LedgerArm.HOLDOUT), None)
    revision = present.revision if present and present.revision in claims.existing else claims.want.stable
    ranges = holdout_ranges(claims)
    if not ranges or revision is None or revision not in claims.existing:
        return (), None
    if problem := _in_the_way(claims, ranges) or _below_the_floor(claims, ranges, present):
        return ((present,) if present and present.revision == revision else ()), problem
    return (_entry(HOLDOUT, LedgerArm.HOLDOUT, revision, ranges),), None


def _in_the_way(claims: Claims, ranges: Iterable[Range]) -> str | None:
    wanted = set(expand(ranges))
    holders = {one.holder for one in _experiments(claims.ledger) if wanted & set(expand(ranges_of(one)))}
    if not holders:
        return None
    return f"the holdout waits until its positions are free: {', '.join(sorted(holders))} holds some of them"


def _below_the_floor(claims: Claims, ranges: Iterable[Range], present: LedgerEntry | None) -> str | None:
    """What is held out already stays: a floor that was raised since takes nobody's model away."""
    wanted, held = len(set(expand(ranges))), sum(one.positions for one in _experiments(claims.ledger))
    floor = floor_of(claims.policy)
    if wanted + held + floor <= POSITIONS or (present is not None and wanted <= present.positions):
        return None
    return (
        f"the holdout waits: its {percent(wanted)} and the {percent(held)} of experiments would leave stable less than"
        f" its floor of {percent(floor)}"
    )


def _holdout_waits(claims: Claims) -> tuple[RefusedRequest, ...]:
    _, problem = _holdout(claims)
    return (RefusedRequest(holder=HOLDOUT, request="holdout", message=problem),) if problem else ()


# Experiments --------------------------------------------------------------------------------------------------


def is_granted(ledger: Ledger, request: Request) -> bool:
    """Whether this very request has its positions."""
    return any(one.holder == request.holder and one.request == request.id for one in _experiments(ledger))


def _waiting(claims: Claims) -> list[Request]:
    return [one for one in claims.requests if not is_granted(claims.ledger, one)]


def _to_release(claims: Claims) -> str | None:
    """An experiment that holds what it no longer asks for."""
    asked = {(one.holder, one.id) for one in claims.requests}
    gone = (one.holder for one in _experiments(claims.ledger) if (one.holder, one.request) not in asked)
    return next(gone, None)


def _refusals(claims: Claims, ledger: Ledger) -> list[tuple[Request, RefusedRequest]]:
    found = ((one, _refusal(claims, ledger, one)) for one in _waiting(claims))
    return [
        (one, RefusedRequest(holder=one.holder, request=one.id, message=message)) for one, message in found if message
    ]


def _refusal(claims: Claims, ledger: Ledger, request: Request) -> str | None:
    """Why a request cannot be granted now, in a sentence, or None when it can."""
    if request.decision is None:
        return "no Decision to run the experiment is on record; it is made by the learning controller"
    if claims.want.stable is None or claims.want.stable not in claims.existing:
        return "the endpoint has no stable revision yet that could answer for a failing arm"
    if request.positions < len(request.arms):
        return f"{percent(request.positions)} is too small for {len(request.arms)} arms: each needs at least 0.1%"
    if any(one.holder == request.holder for one in _experiments(ledger)):
        return "the slice of the run before has to go back first"
    if claims.room([arm.label for arm in request.arms]) < 1:
        return "the routing table has no room for further ranges: " + _held(_experiments(ledger))
    return _too_many(claims, ledger, request) or _not_free(claims, ledger, request)


def _too_many(claims: Claims, ledger: Ledger, request: Request) -> str | None:
    most = claims.policy.max_experiment_slice.positions
    held = sum(one.positions for one in _experiments(ledger))
    if held + request.positions <= most:
        return None
    return (
        f"a slice of {percent(request.positions)} does not fit: experiments may hold {percent(most)} together"
        f" (policy.maxExperimentSlice), {_held(_experiments(ledger))}, {percent(max(most - held, 0))} is free"
    )


def _not_free(claims: Claims, ledger: Ledger, request: Request) -> str | None:
    floor, held = floor_of(claims.policy), _held_by_others(claims, ledger)
    free = min(POSITIONS - len(held) - floor, len(_free(claims, ledger)))
    if request.positions <= free:
        return None
    cooling = sum(one.positions for one in ledger if one.arm is LedgerArm.COOLDOWN)
    parts = [_held([one for one in ledger if one.arm is not LedgerArm.COOLDOWN], claims)]
    parts += [f"{percent(cooling)} cools down"] if cooling else []
    parts += [f"{percent(floor)} is stable's floor", f"{percent(max(free, 0))} is free"]
    return f"a slice of {percent(request.positions)} does not fit: {', '.join(parts)}"


def _held(entries: Iterable[LedgerEntry], claims: Claims | None = None) -> str:
    held: dict[str, int] = {}
    for one in entries:
        held[one.holder] = held.get(one.holder, 0) + one.positions
    if claims is not None and claims.holdout is not None and holdout_ranges(claims):
        held[HOLDOUT] = claims.holdout.slice.positions
    return ", ".join(f"{holder} holds {percent(positions)}" for holder, positions in held.items()) or "nobody holds any"


def _held_by_others(claims: Claims, ledger: Ledger) -> set[int]:
    """What is not stable's, or will not be once the holdout begins."""
    held = {place for one in ledger if one.arm is not LedgerArm.COOLDOWN for place in expand(ranges_of(one))}
    return held | set(expand(holdout_ranges(claims)))


def _free(claims: Claims, ledger: Ledger) -> list[int]:
    cooling = {place for one in ledger if one.arm is LedgerArm.COOLDOWN for place in expand(ranges_of(one))}
    return free_of(_held_by_others(claims, ledger) | cooling, POSITIONS)


def _drawn(claims: Claims, ledger: Ledger, request: Request) -> Iterator[LedgerEntry]:
    """Positions drawn by the request and the salt alone: asking again for the same gives the same."""
    room = claims.room([arm.label for arm in request.arms])
    # Two thirds of the room at most: the next experiment is to find some, too.
    blocks = min(max(room * 2 // 3, 1), MOST_BLOCKS)
    quota = quotas(request.positions, {arm.label: arm.weight for arm in request.arms})
    drawn = draw(quota, _free(claims, ledger), blocks=blocks, seed=f"{claims.salt}/{request.id}")
    for arm in request.arms:
        entry = _entry(request.holder, LedgerArm.EXPERIMENT, arm.revision, drawn[arm.label])
        yield entry.model_copy(update={"label": arm.label, "request": request.id})


# Positions that cool down ---------------------------------------------------------------------------------------


def _cooling(ledger: Ledger, now: datetime) -> Ledger:
    return tuple(one for one in ledger if one.arm is LedgerArm.COOLDOWN and one.until is not None and now < one.until)


def _cool(claims: Claims, holder: str, cooling: Ledger) -> Ledger:
    """What goes back rests, on stable, before another experiment may have it."""
    if not claims.policy.cool_down:
        return cooling
    ranges = [span for one in _experiments(claims.ledger) if one.holder == holder for span in ranges_of(one)]
    entry = _entry(holder, LedgerArm.COOLDOWN, None, _merged(ranges))
    fresh = entry.model_copy(update={"until": claims.now + claims.policy.cool_down})
    return _few((*cooling, fresh))


def _few(cooling: Ledger) -> Ledger:
    """No more than a status has room for: those that end first are told as one, which ends with the later of both."""
    kept = sorted(cooling, key=lambda one: (one.until, one.holder))
    while len(kept) > MOST_COOLING:
        first, second = kept[:2]
        ranges = _merged([*ranges_of(first), *ranges_of(second)])
        both = _entry("several experiments", LedgerArm.COOLDOWN, None, ranges)
        kept[:2] = [both.model_copy(update={"until": second.until})]
    return tuple(kept)


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    return compress(set(expand(ranges)))


# Entries --------------------------------------------------------------------------------------------------------


def shares_of(status: ModelEndpointStatus) -> dict[str, float]:
    """The share of users that each arm holds, 0 to 1, by its label; a mirror's users are stable's."""
    held = [entry for entry in status.ledger if entry.arm not in (LedgerArm.MIRROR, LedgerArm.COOLDOWN)]
    shares = {entry.label or entry.arm.value: entry.positions / POSITIONS for entry in held}
    stable = POSITIONS - sum(entry.positions for entry in held)
    return {"stable": stable / POSITIONS, **shares} if status.stable_revision else {}


def ranges_of(entry: LedgerEntry) -> tuple[Range, ...]:
    return tuple((span.first, span.last) for span in entry.ranges)


def grant_of(entry: LedgerEntry) -> Grant:
    return Grant(entry.holder, entry.arm.value, entry.revision or "", ranges_of(entry))


def _entry(holder: str, arm: LedgerArm, revision: str | None, ranges: Sequence[Range]) -> LedgerEntry:
    return LedgerEntry(
        holder=holder,
        arm=arm,
        revision=revision,
        positions=sum(last - first + 1 for first, last in ranges),
        ranges=tuple(PositionRange(first=first, last=last) for first, last in ranges),
    )
