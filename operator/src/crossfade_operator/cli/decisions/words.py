"""The parts of a record in words."""

from __future__ import annotations

from crossfade_operator.cli.decisions.bounds import Effect
from crossfade_operator.cli.decisions.view import Decision, Finding
from crossfade_operator.cli.text import percent, percents
from crossfade_operator.core.experiment.reasons import Reason as ExperimentReason
from crossfade_operator.core.reasons import Reason
from crossfade_operator.core.signatures import UNNAMED


def done(decision: Decision) -> str:
    """What was decided, as a sentence without its full stop."""
    rollout = f"rollout {decision.subject}"
    revision = f"revision {decision.revision} of {rollout}" if decision.revision else rollout
    experiment = f"experiment {decision.subject}"
    run = f"run {decision.attempt} of {experiment}" if (decision.attempt or 1) > 1 else experiment
    arm = f"arm {decision.treatment} of {run}" if decision.treatment else run
    share = decision.slice or "a slice"
    sentences = {
        "Start": f"{revision} is started: its pods come up, and no user gets it yet",
        "Advance": f"{revision} gets {share} of the users" + (f", step {decision.step}" if decision.step else ""),
        "Hold": f"{revision} keeps its {share} of the users and gets no more for now",
        "Promote": f"{revision} becomes the stable one: everyone in no other slice gets it",
        "Rollback": f"{revision} is taken back: its users get the stable revision again",
        "Supersede": f"{revision} gives way to a newer template: its users get the stable revision again",
        "Restore": f"{revision}, which was stable before, becomes the stable one again",
        "Approve": f"one approval is given to {revision}",
        "Withdraw": f"{revision} is withdrawn, for the template is the stable one again",
        "Run": f"{run} starts: its arms get {share} of the users",
        "Stop": f"{run} stops: its arms get no more users",
        "Ship": f"{arm} may be rolled out: this very model passes the gate of rollouts",
        "Abort": f"{run} ends without a change: control stays",
        "Invalidate": f"{run} is invalid: its results must not be used",
    }
    return sentences.get(decision.action, f"{decision.action} of {decision.subject}")


def basis(decision: Decision) -> str:
    """Who decided, and on what."""
    by = _by(decision)
    on = {
        "Evidence": "on the evidence" if decision.evidence else "on what the cluster showed",
        "Waived": "without evidence, which this action does not need",
        "Emergency": "as an emergency: at once, with the review afterwards",
    }.get(decision.basis, "")
    return f"{by}, {on}" if on else by


def _by(decision: Decision) -> str:
    if decision.actor == decision.rule:
        return f"by the rule {decision.rule}"
    if decision.actor == UNNAMED:
        return "by somebody who did not sign: the API server's audit log has the name"
    return f"by {decision.actor}"


def reason(decision: Decision) -> str:
    """`StepProven: 1,012 requests, nothing shown worse`."""
    return f"{decision.reason}: {decision.message}" if decision.message else decision.reason


def meaning(word: str) -> str:
    """What a reason means, in the words of the reference; empty for one that this version does not know."""
    return Reason.meaning(word) or ExperimentReason.meaning(word)


def against(decision: Decision) -> str:
    """`against the recommendation to abort`, or nothing."""
    if not decision.against:
        return ""
    if not decision.recommendation:
        return "against the rule, which recommended nothing"
    return f"against the recommendation ({decision.recommendation})"


def compared(decision: Decision, finding: Finding) -> tuple[str, str]:
    """What was compared with what: `the candidate`, `the stable revision`."""
    if decision.of_rollout:
        return "the candidate", "the stable revision"
    return finding.treatment or "the treatment", "control"


def size(end: float, effect: Effect) -> str:
    """`1.8% higher`, `0.3% lower`, `the same`; in as many places as the effect's other figures."""
    if end == 0:
        return "the same"
    others = (one for one in (effect.estimate, effect.lower, effect.upper) if one is not None)
    return f"{percents(abs(end), *others)[0]} {'higher' if end > 0 else 'lower'}"


def interval(effect: Effect) -> str:
    """`between 0.6% and 3.0% higher`, `between 8.4% lower and 2.2% higher`."""
    lower, upper = effect.lower, effect.upper
    if lower is None and upper is None:
        return ""
    if lower is None:
        return f"at most {size(upper or 0, effect)}"
    if upper is None:
        return f"at least {size(lower, effect)}"
    if lower >= 0 or upper <= 0:
        near, far = percents(*sorted((abs(lower), abs(upper))))
        return f"between {near} and {far} {'higher' if lower >= 0 else 'lower'}"
    low, high = percents(abs(lower), upper)
    return f"between {low} lower and {high} higher"


def bound(margin: str | None) -> str:
    """A margin as the record has it: `2%`, `0.5% in absolute terms`."""
    return (margin or "").removesuffix(" relative").replace(" absolute", " in absolute terms")


def points(distance: float) -> str:
    """A distance between two percentages: `2.8 points`."""
    return percent(abs(distance)).removesuffix("%") + " points"
