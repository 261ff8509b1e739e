"""One series of counts of a rollout: evidence of harm and for being within the margin, look by look."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from crossfade_analyzer.statistics import normal_mixture, score
from crossfade_analyzer.statistics.approximate import Term, largest, log_sum, settled
from crossfade_analyzer.statistics.arithmetic import ONE, ZERO, exactly, threshold
from crossfade_analyzer.statistics.arithmetic import log_sum as exact_log_sum
from crossfade_analyzer.statistics.harm import signed
from crossfade_analyzer.statistics.look import CANDIDATE, CONTROL, Counts
from crossfade_analyzer.statistics.plan import MetricPlan, RolloutPlan
from crossfade_analyzer.statistics.proof import DifferenceProof, MeanProof, Proof, RatioProof, SloProof
from crossfade_analyzer.statistics.strata import Strata, Values, as_counted, weighted
from crossfade_analyzer.statistics.view import harm_tuning, views


class Part:
    """Fold of the looks of one key. `log_e` and `log_e_proof` are quantised and as of the last look added."""

    @exactly
    def __init__(self, key: str, metric: MetricPlan, plan: RolloutPlan, buckets: int) -> None:
        self.key, self.metric, self.plan, self.buckets = key, metric, plan, buckets
        self.sign = 1 if metric.direction == "LowerIsBetter" else -1
        self.x, self.n = (0, 0), (0, 0)
        self.expected = 0.0
        self.log_e = ZERO
        self.views = views(metric, plan, buckets)
        self.before = Strata(buckets)
        self._level = Strata(buckets)
        self._tuning = harm_tuning(plan)
        self._proofs = self._planned_proofs() if metric.must_be_proven else []
        self._proof_logs: list[Decimal] = [ZERO] * len(self._proofs)
        self._proven_at: list[int | None] = [None] * len(self._proofs)
        self._proof_threshold = threshold(plan.beta)

    def begin(self, look: int) -> None:
        """A start of the mixture over start times: at `look`, before its counts are added."""
        for view in self.views:
            view.begin(look)

    def warm_up(self, counts: Counts) -> None:
        """A look of the A/A warm-up: both arms ran stable."""
        seen = as_counted(counts)
        for view in self.views:
            view.warm_up(seen)
        look = weighted(seen, 1.0)
        if look is not None:
            self.before.add(look)

    @exactly
    def add(self, counts: Counts, look: int) -> None:
        """One look's counts; `begin` was called at least once before."""
        seen = as_counted(counts)
        self._tally(counts, seen)
        for view in self.views:
            view.add(seen)
        self.log_e = self._evidence()
        for i, proof in enumerate(self._proofs):
            proof.add(seen)
            self._proof_logs[i] = settled(proof.approximate(self.strata), partial(proof.exact, self.strata))
            if self._proven_at[i] is None and self._proof_logs[i] >= self._proof_threshold:
                self._proven_at[i] = look

    @property
    def strata(self) -> Strata:
        """Strata of null ratio 1 over all looks (the candidate's counts alone for an SLO)."""
        return self.views[-1].mixture.harm.strata if self.metric.slo is not None else self._level

    @property
    def log_e_proof(self) -> Decimal | None:
        return min(self._proof_logs) if self._proof_logs else None

    @property
    def proven_at(self) -> int | None:
        """The look at which the last of the margins was proven; each stays proven once it was (Ville's inequality)."""
        looks = [look for look in self._proven_at if look is not None]
        return max(looks) if looks and len(looks) == len(self._proven_at) else None

    @property
    def phi(self) -> float | None:
        return self.views[-1].mixture.harm.phi()

    def leading(self) -> tuple[int, Term]:
        """First look and log of the largest term of the evidence of harm."""
        found = [view.leading() for view in self.views]
        return found[largest([term for _, term in found])]

    def _tally(self, counts: Counts, seen: Values) -> None:
        x, n = counts.totals_x(), counts.totals_n()
        self.x = (self.x[CONTROL] + x[CONTROL], self.x[CANDIDATE] + x[CANDIDATE])
        self.n = (self.n[CONTROL] + n[CONTROL], self.n[CANDIDATE] + n[CANDIDATE])
        if n[CONTROL]:
            self.expected += n[CANDIDATE] * x[CONTROL] / n[CONTROL]
        look = weighted(seen, 1.0)
        if look is not None:
            self._level.add(look)

    def _evidence(self) -> Decimal:
        """ln E of harm, quantised. With an absolute tolerance both its process and the relative one must be large: the
        smaller of two e-values tests "within either tolerance" (intersection-union), at no cost in alpha."""
        relative = self._relative_evidence()
        delta = self.metric.tolerance_absolute
        if not delta:
            return relative
        shift = float(self.sign * delta * self.metric.scale)
        beyond = signed(score.difference(self._level, shift=shift), self.sign)
        return min(relative, score.quantised_log_e(beyond, self._tuning))

    def _relative_evidence(self) -> Decimal:
        weights, mixtures = [view.weight for view in self.views], [view.mixture for view in self.views]
        near = log_sum([float(weight) for weight in weights], [mixture.approximate() for mixture in mixtures])
        return settled(near, lambda: exact_log_sum(weights, [mixture.exact() for mixture in mixtures]))

    def _planned_proofs(self) -> list[Proof]:
        metric, sign = self.metric, self.sign
        if metric.slo is not None:
            return [SloProof(metric.slo if sign > 0 else ONE - metric.slo)]
        r = normal_mixture.rho(Decimal(self.plan.planned_requests), self.plan.beta, one_sided=True)
        proofs: list[Proof] = []
        if metric.margin_relative is not None:
            rho0 = ONE + sign * metric.margin_relative
            mean = metric.kind == "mean"
            proofs.append(
                MeanProof(sign, r, rho0=rho0) if mean else RatioProof(metric.margin_relative, sign, self.buckets)
            )
        if metric.margin_absolute is not None:
            if metric.kind == "mean":
                proofs.append(MeanProof(sign, r, shift=sign * metric.margin_absolute * metric.scale))
            else:
                proofs.append(DifferenceProof(metric.margin_absolute, sign, r, self.plan.min_events))
        return proofs
