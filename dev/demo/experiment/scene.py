"""What every act of the performance works with."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_operator.cli import names
from crossfade_operator.cli.decisions.view import Decision, decision_of
from dev.demo.acts import Following
from dev.demo.experiment.plugin import Plugin
from dev.demo.experiment.trials import Trials
from dev.demo.kube import Kube
from dev.demo.show import Show
from dev.demo.traffic import Traffic

_DECIDED_SECONDS = 90.0


@dataclass(frozen=True)
class Scene:
    """The cluster, the listeners in it, and who shows it."""

    kube: Kube
    show: Show
    traffic: Traffic
    plugin: Plugin
    trials: Trials

    @classmethod
    def of(cls, kube: Kube, show: Show, traffic: Traffic) -> Scene:
        return cls(kube, show, traffic, Plugin(kube, show), Trials(kube, show, traffic))

    def following(self) -> Following:
        """Watch the rollout from now on."""
        return Following(self.kube, self.show, self.traffic)

    def decide(self, experiment: str, choice: str, why: str) -> Decision:
        """Decide an experiment as its decision maker, and return the record once it stands."""
        self.plugin("decide", f"exp/{experiment}", choice, "-m", why, quiet=True)
        seen = self.trials.until([experiment], lambda one: one.ended, _DECIDED_SECONDS)
        return decision_of(self.kube.objects().get(names.DECISION, seen[experiment].decision or experiment))
