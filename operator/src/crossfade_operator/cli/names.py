"""What people call objects on the command line: `ranker`, `exp/new-ranker`, `decision/ranker-000007`."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade_operator.api import decision, experiment, metric, modelendpoint, modelrollout, review
from crossfade_operator.api.meta import GROUP, Resource
from crossfade_operator.cli.problem import Problem


@dataclass(frozen=True)
class Kind:
    """A kind of the API, and the words that mean it."""

    name: str
    plural: str
    words: tuple[str, ...]
    """What it is called before a slash, the usual one first."""

    @property
    def word(self) -> str:
        return self.words[0]


def _kind(resource: Resource, *words: str) -> Kind:
    own = (resource.kind.lower(), resource.plural, resource.short_name, f"{resource.plural}.{GROUP}")
    return Kind(resource.kind, resource.plural, tuple(dict.fromkeys((*words, *own))))


ROLLOUT = _kind(modelrollout.RESOURCE, "rollout", "rollouts")
EXPERIMENT = _kind(experiment.RESOURCE, "exp", "experiment")
DECISION = _kind(decision.RESOURCE, "decision")
REVIEW = _kind(review.RESOURCE, "review")
ENDPOINT = _kind(modelendpoint.RESOURCE, "endpoint")
METRIC = _kind(metric.RESOURCE, "metric")
KINDS = (ROLLOUT, EXPERIMENT, DECISION, REVIEW, ENDPOINT, METRIC)


@dataclass(frozen=True)
class Named:
    """One object of the namespace."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.word}/{self.name}"


def kind_of(word: str) -> Kind | None:
    """The kind that a word means; None for any other word."""
    return next((kind for kind in KINDS if word.lower() in kind.words), None)


def named(text: str, allowed: tuple[Kind, ...], default: Kind | None = None) -> Named:
    """`KIND/NAME`, or NAME for the `default` kind. Raises `Problem` with what may be written instead."""
    word, slash, name = text.rpartition("/")
    kind = kind_of(word) if slash else default
    if kind in allowed and name:
        return Named(kind, name)
    forms = [f"{kind.word}/NAME" for kind in allowed]
    if default is not None:
        forms.append(f"NAME of a {default.word}")
    raise Problem(f"{text!r} is not what this command is about.", f"write {' or '.join(forms)}")
