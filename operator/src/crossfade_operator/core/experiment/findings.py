"""What stands against running a design: all of it at once, each a sentence that says what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crossfade_operator.api.decision import MOST_DUE
from crossfade_operator.api.experiment import ExperimentType
from crossfade_operator.api.experiment_design import Method
from crossfade_operator.api.experiment_status import MetricRole
from crossfade_operator.api.modelendpoint_status import LedgerArm
from crossfade_operator.core.experiment import reviews
from crossfade_operator.core.experiment.planning import CONTROL_OF_MOCK, unmocked
from crossfade_operator.core.experiment.view import EndpointSeen, View
from crossfade_operator.core.slices import POSITIONS, percent
from crossfade_operator.ports.verdicts import Unavailable

_GUARDS = (MetricRole.GUARDRAIL, MetricRole.SUCCESS)


def obstacles(view: View) -> tuple[str, ...]:
    """What keeps the design from being run, reviews aside."""
    return tuple(_obstacles(view))


def _obstacles(view: View) -> Iterator[str]:
    if view.endpoint is None:
        yield f"there is no ModelEndpoint {view.spec.endpoint!r} in this namespace; create it"
    else:
        yield from _no_room(view, view.endpoint)
    if len(view.status.reviews_due) >= MOST_DUE:
        owed = view.status.reviews_due[0]
        yield (
            f"{MOST_DUE} decisions made in an emergency wait for their review; another person than {owed.by} reviews "
            f"Decision {owed.decision}, to begin with"
        )
    if view.spec.decision is not None:
        yield "spec.decision is set before there is anything to decide; remove it"
    yield from view.metric_problems
    yield from (seen.problem for _, seen in sorted(view.arms.items()) if seen.template is None and seen.problem)
    yield from _policy(view)
    yield from _growing(view)
    yield from _without_mock(view)
    yield from _refused_plan(view)


def _no_room(view: View, endpoint: EndpointSeen) -> Iterator[str]:
    """The ledger as it is now; the serving side has the last word when the slice is asked for."""
    if view.spec.dry_run:
        return
    own = {id(entry) for entry in view.entries}
    held = Counter[str]()
    of_experiments = 0
    for entry in endpoint.status.ledger:
        if id(entry) in own or entry.arm is LedgerArm.MIRROR:
            continue
        held[f"{entry.holder} (cooling down)" if entry.arm is LedgerArm.COOLDOWN else entry.holder] += entry.positions
        of_experiments += entry.positions if entry.arm is LedgerArm.EXPERIMENT else 0
    policy = endpoint.spec.policy
    free = POSITIONS - sum(held.values()) - policy.stable_floor.positions
    left = policy.max_experiment_slice.positions - of_experiments
    wanted = view.spec.design.slice.positions
    if wanted > min(free, left):
        holders = ", ".join(f"{holder} holds {percent(positions)}" for holder, positions in sorted(held.items()))
        yield (
            f"a slice of {percent(wanted)} does not fit: {holders or 'nobody else holds any'}, "
            f"{policy.stable_floor} is stable's floor, experiments may hold {policy.max_experiment_slice} together, "
            f"{percent(max(min(free, left), 0))} is free; ask for less or wait"
        )


def _policy(view: View) -> Iterator[str]:
    """What the endpoint asks of every experiment. An A/A test tries nothing on anybody.

    A Success metric is guarded too: shown worse, it ends the experiment.
    """
    if view.spec.type is ExperimentType.AA:
        return
    design, asked = view.spec.design, view.policy.evaluation
    guarded = {use.metric.split("@")[0] for use in design.metrics if use.role in _GUARDS}
    if missing := [name for name in asked.guardrails if name not in guarded]:
        names = ", ".join(missing)
        yield f"policy.evaluation.guardrails of the endpoint: give {names} the role Guardrail in design.metrics"
    if design.min_runtime < asked.min_runtime:
        yield (
            f"policy.evaluation.minRuntime of the endpoint: let the experiment run for {asked.min_runtime} at least "
            f"(design.minRuntime), not {design.min_runtime}"
        )


def _growing(view: View) -> Iterator[str]:
    if view.spec.design.analysis.method is Method.FIXED_HORIZON:
        return
    for name, seen in sorted(view.metrics.items()):
        if seen.spec.grows_with_time:
            yield (
                f"metric {name} grows with time, and a {view.spec.design.analysis.method} design looks more than once: "
                "its looks could not be compared; divide by user-days or requests, or use the method FixedHorizon"
            )


def _without_mock(view: View) -> Iterator[str]:
    for name, missing in unmocked(view).items():
        yield (
            f"a dry run needs mock values of metric {name} for {', '.join(missing)}; add them to its spec.mock, where "
            f"{CONTROL_OF_MOCK} stands for every arm that is not named"
        )


def _refused_plan(view: View) -> Iterator[str]:
    """What the analyzer says cannot be judged. That a run may end without enough evidence is told, and hinders none."""
    if isinstance(view.plan, Unavailable):
        yield f"the design and its metrics cannot be checked: {view.plan.message}"
    elif view.plan is None:
        if view.endpoint is not None and not view.metric_problems and not unmocked(view):
            yield "the analyzer has not checked the design and its metrics yet"
    elif not view.plan.metrics:
        yield from view.plan.refusals
    else:
        yield from (f"metric {one.metric}: {one.message}" for one in view.plan.metrics if not one.holds)


def warnings(view: View) -> tuple[str, ...]:
    """What is worth knowing before the start and does not hinder it."""
    if view.plan is None or isinstance(view.plan, Unavailable) or not view.plan.metrics:
        return ()
    told = {f"metric {one.metric}: {one.message}" for one in view.plan.metrics if not one.holds}
    broken = {one.message for one in view.plan.metrics if not one.holds}
    return tuple(one for one in view.plan.refusals if one not in broken and one not in told)


def missing_reviews(view: View, design: str) -> str | None:
    """What the endpoint's policy still asks of people, or None when it has it."""
    policy = view.policy.reviews
    given = reviews.approvals(view, design)
    if len(given) >= policy.approvals:
        return None
    by = f" (by {', '.join(given)})" if given else ""
    return (
        f"{len(given)} of {policy.approvals} approvals{by}; others approve by a Review of Experiment {view.name} with "
        f"design {design}"
    )


def asked_changes(view: View, design: str) -> str | None:
    """The reviews that ask for changes in this design, in one sentence."""
    asked = reviews.objections(view, design)
    if not asked:
        return None
    return "; ".join(f"{review.spec.reviewer} asks for changes: {review.spec.reason or ''}" for review in asked)
