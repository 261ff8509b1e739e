"""What is played: populations of users, traffic, ramps and what the candidate does to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ALPHA = 0.01
BUCKETS = 100


@dataclass(frozen=True)
class Users:
    """`activity`: sigma of lognormal request rates (0: all alike). `propensity`: shape of gamma error propensities
    (0: all alike; small: few users have most errors). `burst`: mean number of errors that arrive together (1: alone).
    `latency`: sigma of lognormal latency factors between users."""

    count: int = 5000
    activity: float = 0.0
    propensity: float = 0.0
    burst: float = 1.0
    latency: float = 0.0


@dataclass(frozen=True)
class Ramp:
    """Candidate shares and the minutes at which they begin, looks every `interval` minutes for `minutes`."""

    shares: tuple[float, ...] = (0.05, 0.25, 0.5)
    begins: tuple[int, ...] = (0, 60, 120)
    minutes: int = 240
    interval: int = 1

    def step(self, minute: float) -> int:
        """The step in force in the interval that ends at `minute`."""
        return max(i for i, begin in enumerate(self.begins) if minute > begin)


@dataclass(frozen=True)
class Scenario:
    """`ratio`: the candidate's error rate relative to stable's (1: harmless), from minute `onset` on; `slowdown`
    likewise for latency. `swing`: traffic and baseline over the day (amplitude 0 to 1). `outage`: minutes (from, to)
    in which both arms fail five times as often. `warmup`: minutes before the candidate in which its slice is already
    labelled."""

    name: str
    per_second: float = 100.0
    baseline: float = 0.01
    ratio: float = 1.0
    onset: float = 0.0
    slowdown: float = 1.0
    swing: float = 0.0
    outage: tuple[int, int] | None = None
    latency: bool = False
    warmup: int = 0
    users: Users = field(default_factory=Users)
    ramp: Ramp = field(default_factory=Ramp)

    @property
    def harmless(self) -> bool:
        return self.ratio <= 1.0 and self.slowdown <= 1.0

    def variant(self, suffix: str, **changes: object) -> Scenario:
        return replace(self, name=f"{self.name}, {suffix}", **changes)  # type: ignore[arg-type]


UNEVEN = Users(count=5000, activity=1.0, propensity=0.5, burst=3.0)
SLOW_RAMP = Ramp(begins=(0, 240, 720), minutes=1440, interval=5)

BASES = (
    Scenario("1 % errors, independent"),
    Scenario("0.1 % errors, independent", baseline=0.001),
    Scenario("1 %, 1 request/s", per_second=1.0, users=Users(count=2000)),
    Scenario("1 %, uneven users", users=UNEVEN),
    Scenario("1 %, uneven users, 60 min warm-up", users=UNEVEN, warmup=60),
    Scenario("diurnal, drifting baseline, outage", swing=0.6, outage=(400, 430), ramp=SLOW_RAMP),
)
LATENCY = Scenario("latency", latency=True, users=Users(count=5000, activity=0.7, latency=0.3))


def scenarios() -> tuple[Scenario, ...]:
    """Every base harmless, with errors x1.5 and x2; latency harmless, 10 % and
    30 % slower; a regression that begins late."""
    played: list[Scenario] = []
    for base in BASES:
        played += [base, base.variant("x1.5", ratio=1.5), base.variant("x2", ratio=2.0)]
    played += [LATENCY, LATENCY.variant("+10 %", slowdown=1.1), LATENCY.variant("+30 %", slowdown=1.3)]
    return (*played, BASES[0].variant("x2 from minute 130", ratio=2.0, onset=130.0))
