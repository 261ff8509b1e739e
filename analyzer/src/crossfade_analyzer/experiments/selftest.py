"""What an A/A experiment says about the analysis itself: its false-positive rate, and how true the split is."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, sqrt

from crossfade_analyzer.contract import SelfTest
from crossfade_analyzer.experiments.fold import Fold, sums
from crossfade_analyzer.experiments.measure import refused
from crossfade_analyzer.statistics.experiments.self_test import rejections

SPLIT_TOLERANCE = 0.005


@dataclass(frozen=True)
class SplitError:
    """How far an arm's share of requests is from its nominal one, and in standard errors between buckets."""

    error: float
    z: float


def tested(fold: Fold) -> SelfTest | None:
    """The self test over all windows; `None` before there is enough to test with."""
    alpha = float(fold.study.design.alpha)
    rejected = tests = 0
    for number, arm, metric in fold.study.comparisons:
        found = fold.total(metric, fold.windows, fold.excluded)
        if refused(metric, found, number) is not None or not found[0][[0, number]].any():
            continue
        seed = f"{fold.opened.digest}/{arm.name}/{metric.name}"
        one = rejections(sums(metric, found, 0), sums(metric, found, number), alpha, seed)
        rejected, tests = rejected + one.rejected, tests + one.tests
    if not tests:
        return None
    worst = max(one.error for one in split_errors(fold))
    return SelfTest(false_positive_rate=rejected / tests, nominal=alpha, tests=tests, split_error=worst)


def split_errors(fold: Fold) -> tuple[SplitError, ...]:
    """Per arm, of all arms' requests."""
    requests = fold.requests().astype(float)
    total, buckets = requests.sum(), requests.shape[1]
    found = []
    for number in range(len(fold.study.arms)):
        share = float(fold.study.share(number))
        beyond = requests[number] - share * requests.sum(axis=0)
        u = fsum(beyond)
        spread = fsum((value - u / buckets) ** 2 for value in beyond) * buckets / (buckets - 1)
        found.append(SplitError(abs(u) / total if total else 0.0, u / sqrt(spread) if spread > 0 else 0.0))
    return tuple(found)
