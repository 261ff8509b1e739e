"""One metric of a rollout: its parts (one per latency bound, else one), what stops it, and its result."""

from __future__ import annotations

from decimal import Decimal
from operator import gt

from crossfade_analyzer.statistics.approximate import Term, largest
from crossfade_analyzer.statistics.arithmetic import CONTEXT, ONE, ZERO, ln, quantised, threshold
from crossfade_analyzer.statistics.averaging import quantised_average
from crossfade_analyzer.statistics.look import WARM_UP, Counts, Look
from crossfade_analyzer.statistics.part import Part
from crossfade_analyzer.statistics.plan import MIN_BUCKETS, MetricPlan, RolloutPlan
from crossfade_analyzer.statistics.refusals import CannotJudge, Refusal
from crossfade_analyzer.statistics.report import part_result
from crossfade_analyzer.statistics.result import MetricResult

# Counts with more events than requests wait for a scrape that brings the requests; after so many looks none will.
MAX_CARRIED_LOOKS = 10


class MetricState:
    """Fold of a metric's looks. Once `ended` its evidence is frozen: a stopped e-process stays valid, and it can no
    longer be proven."""

    def __init__(self, metric: MetricPlan, plan: RolloutPlan) -> None:
        self.plan = metric
        self._rollout = plan
        self.log_e = ZERO
        self.harmful_at: int | None = None
        self._parts: list[Part] = []
        self._starts: list[int] = []
        self._looks = 0
        self._carried: dict[str, Counts] | None = None
        self._carried_looks = 0
        self._ended: CannotJudge | None = None
        share = CONTEXT.divide(ONE, Decimal(len(plan.metrics)))
        self._own_threshold = quantised(CONTEXT.subtract(threshold(plan.alpha), ln(share)))

    def update(self, look: Look, *, begin: bool) -> None:
        """One look; `begin`: a start of the mixture over start times begins with it."""
        if self._ended is not None:
            return
        if begin:
            self._begin(look.index)
        counts = self._complete(look)
        if counts is None or not self._same_buckets(counts):
            return
        self._build(counts)
        if look.step == WARM_UP:
            for part in self._parts:
                part.warm_up(counts[part.key])
        else:
            self._add(counts, look.index)

    def blame(self, look: int) -> None:
        """It is the metric with the most evidence at the look at which all together showed harm."""
        self.harmful_at = look if self.harmful_at is None else self.harmful_at

    @property
    def proven_at(self) -> int | None:
        """The look at which its last part was proven."""
        looks = [part.proven_at for part in self._parts]
        if self._ended is not None or not looks or None in looks:
            return None
        return max(look for look in looks if look is not None)

    def leading(self) -> tuple[str, str, int, Term] | None:
        """Metric, part, first look and log of the largest term of its evidence."""
        if not self._looks:
            return None
        found = [(part.key, *part.leading()) for part in self._parts]
        key, look, term = found[largest([term for _, _, term in found])]
        return self.plan.name, key, look, term.times(ONE / len(self._parts))

    def result(self) -> MetricResult | CannotJudge:
        for refusal in (self._ended, self._no_data(), self._stuck()):
            if refusal is not None:
                return refusal
        parts = tuple(part_result(part) for part in self._parts)
        proofs = [part.log_e_proof for part in parts if part.log_e_proof is not None]
        proven_at = self.proven_at
        return MetricResult(
            name=self.plan.name,
            role=self.plan.role,
            log_e=self.log_e,
            log_e_proof=min(proofs) if proofs else None,
            harmful=self.harmful_at is not None,
            harmful_at=self.harmful_at,
            proven=proven_at is not None if self.plan.must_be_proven else None,
            proven_at=proven_at,
            parts=parts,
        )

    def _begin(self, look: int) -> None:
        self._starts.append(look)
        for part in self._parts:
            part.begin(look)

    def _complete(self, look: Look) -> dict[str, Counts] | None:
        """This look's counts with those carried from before; None when there are none, or they must wait."""
        found = {key: look.counts[key] for key in self.plan.keys if key in look.counts}
        if not found:
            return None
        if len(found) < len(self.plan.keys):
            missing = ", ".join(key for key in self.plan.keys if key not in found)
            self._end(Refusal.BOUNDS_MISSING, f"At look {look.index} the histogram bound {missing} was missing while "
                      "others were there: the bucket layout changed. Start a new rollout with bounds that both "
                      "versions have.")  # fmt: skip
            return None
        if self._carried is not None and all(self._carried[k].buckets == c.buckets for k, c in found.items()):
            found = {key: counts.plus(self._carried[key]) for key, counts in found.items()}
        waiting = any(_impossible(counts, self.plan.kind) for counts in found.values())
        self._carried = found if waiting else None
        self._carried_looks = self._carried_looks + 1 if waiting else 0
        return None if waiting else found

    def _same_buckets(self, counts: dict[str, Counts]) -> bool:
        """Whether the layout of buckets is that of the first look and large enough; ends the metric otherwise."""
        buckets = {value.buckets for value in counts.values()}
        expected = {part.buckets for part in self._parts} or buckets
        if buckets != expected or len(buckets) != 1:
            self._end(Refusal.BUCKETS_CHANGED, f"The number of analysis buckets changed from {min(expected)} to "
                      f"{max(buckets)}; users are no longer grouped as before. Start a new rollout.")  # fmt: skip
        elif min(buckets) < MIN_BUCKETS:
            self._end(Refusal.TOO_FEW_BUCKETS, f"Counts come in {min(buckets)} analysis buckets; with fewer than "
                      f"{MIN_BUCKETS} the error guarantee does not hold. Label counts with the router's 100 "
                      "buckets.")  # fmt: skip
        return self._ended is None

    def _build(self, counts: dict[str, Counts]) -> None:
        """Parts are built with the first counts, when the number of buckets is known, with the starts so far."""
        if self._parts:
            return
        buckets = next(iter(counts.values())).buckets
        self._parts = [Part(key, self.plan, self._rollout, buckets) for key in self.plan.keys]
        for start in self._starts:
            for part in self._parts:
                part.begin(start)

    def _add(self, counts: dict[str, Counts], look: int) -> None:
        self._looks += 1
        for part in self._parts:
            part.add(counts[part.key], look)
        self.log_e = quantised_average([part.log_e for part in self._parts])
        if self.harmful_at is None and self.log_e >= self._own_threshold:
            self.harmful_at = look

    def _end(self, reason: Refusal, sentence: str) -> None:
        self._ended = CannotJudge(reason, sentence, self.plan.name)

    def _no_data(self) -> CannotJudge | None:
        if self._looks and all(all(part.n) or self.plan.slo is not None for part in self._parts):
            return None
        seen = self._parts[0].n if self._parts else (0, 0)
        arms = "either arm" if not any(seen) else "control" if not seen[0] else "the candidate"
        return CannotJudge(
            Refusal.NO_DATA,
            f"{self.plan.name}: nothing was counted for {arms} so far. See whether it gets traffic and its series are "
            "scraped; no data is not a pass.",
            self.plan.name,
        )

    def _stuck(self) -> CannotJudge | None:
        if self._carried_looks < MAX_CARRIED_LOOKS:
            return None
        return CannotJudge(
            Refusal.EVENTS_EXCEED_REQUESTS,
            f"{self.plan.name}: for {self._carried_looks} looks more events were counted than requests in some bucket. "
            "Numerator and denominator must count the same requests; correct the metric's series.",
            self.plan.name,
        )


def _impossible(counts: Counts, kind: str) -> bool:
    """More events than requests in a bucket (scrapes out of step), or a sum of no values."""
    arms = zip(counts.x, counts.n, strict=True)
    if kind == "mean":
        return any(x for xs, ns in arms for x, n in zip(xs, ns, strict=True) if not n)
    return any(min(xs) < 0 or any(map(gt, xs, ns)) for xs, ns in arms)
