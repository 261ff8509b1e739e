"""What evaluators of rollouts and experiments share: the latest subjects' states, a lock per subject, pinned plans."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from crossfade_analyzer.snapshots import Entry, differences
from crossfade_analyzer.store.evidence import AppendedMeanwhile, Evidence


class PlanChanged(Exception):
    """A subject's plan differs from the one its evidence was gathered under; the message says where."""


def refuse_changed(opened: Entry, body: Mapping[str, Any]) -> None:
    """Raise `PlanChanged` unless `body` is what the subject was opened with."""
    changed = differences(opened.content(), body)
    if changed:
        raise PlanChanged(
            f"{opened.subject} is judged under the plan it started with, and this request differs "
            f"({'; '.join(changed[:3])}); restore it, or use a new subject"
        )


def refuse_other_kind(opened: Entry, rule: str) -> None:
    """Raise `PlanChanged` unless the subject was opened to be judged by `rule`, in any version of it."""
    found = str(opened.content().get("rule", "none"))
    if found.partition("@")[0] != rule.partition("@")[0]:
        raise PlanChanged(f"{opened.subject} holds evidence for the rule {found}, not for {rule}; use another subject")


class State(Protocol):
    """A subject's state: a function of its entries up to `last`."""

    @property
    def last(self) -> Entry: ...

    def catch_up(self, entries: Iterable[Entry]) -> bool:
        """Take in what follows; `False` when the state must be made anew."""
        ...


S = TypeVar("S", bound=State)
R = TypeVar("R")

_ATTEMPTS = 50
"""How often a request that appends is begun anew because another process was faster. Each loss is an entry that the
other one took, so that nothing is read twice for nothing; a request has a dozen entries to append at the most."""


class Folds(Generic[S]):
    """The folds of the latest subjects; one that was forgotten is made again from the store by `refold`, the same to
    the bit."""

    def __init__(self, store: Evidence, refold: Callable[[Evidence, str], S | None], size: int) -> None:
        self._store, self._refold, self._size = store, refold, size
        self._kept: OrderedDict[str, S] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, subject: str) -> S | None:
        """The subject's fold, up to the store's last entry; `None` when it has none."""
        with self._guard:
            fold = self._kept.pop(subject, None)
        if fold is not None:
            fold = fold if fold.catch_up(self._store.chain(subject, after=fold.last.seq)) else None
        fold = fold or self._refold(self._store, subject)
        if fold is not None:
            self._keep(subject, fold)
        return fold

    def forget(self, subject: str) -> None:
        with self._guard:
            self._kept.pop(subject, None)

    def _keep(self, subject: str, fold: S) -> None:
        with self._guard:
            self._kept[subject] = fold
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def begun_anew_when_overtaken(folds: Folds[S], subject: str, evaluate: Callable[[], R]) -> R:
    """What `evaluate` answers; it starts again from the store whenever another process appended before it."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return evaluate()
        except AppendedMeanwhile:
            folds.forget(subject)
    return evaluate()


class Locks:
    """One lock per subject that is being evaluated, so that two requests do not read the same window twice."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, subject: str) -> Iterator[None]:
        with self._guard:
            lock, waiting = self._held.get(subject, (threading.Lock(), 0))
            self._held[subject] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._held[subject]
                if waiting == 1:
                    del self._held[subject]
                else:
                    self._held[subject] = (lock, waiting - 1)
