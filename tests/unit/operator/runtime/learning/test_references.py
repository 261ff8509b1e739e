"""Who uses what."""

from __future__ import annotations

from crossfade_operator.ports.cluster import Key
from crossfade_operator.ports.learning import Name
from crossfade_operator.runtime.learning.references import References, User

A, B = User("ModelRollout", Name("recs", "a")), User("Experiment", Name("recs", "b"))
X = Name("recs", "x")


def test_a_user_tells_which_metrics_it_did_not_use_before() -> None:
    references = References()
    assert references.uses(A, frozenset({"x"})) == {X}
    assert references.uses(A, frozenset({"x", "y"})) == {Name("recs", "y")}


def test_a_metric_is_used_while_anybody_in_its_namespace_uses_it() -> None:
    references = References()
    references.uses(A, frozenset({"x"}))
    references.uses(B, frozenset({"x"}))
    references.uses(A, frozenset())
    assert references.users(X) == [B]
    assert references.users(Name("search", "x")) == []
    references.uses(B, frozenset())
    assert references.users(X) == []


def test_an_endpoint_has_the_experiments_that_run_there_now() -> None:
    references = References()
    web, ads = Key("recs", "web"), Key("recs", "ads")
    references.runs_at(Name("recs", "one"), web)
    references.runs_at(Name("recs", "two"), web)
    references.runs_at(Name("recs", "two"), ads)
    references.runs_at(Name("recs", "one"), None)
    assert (references.experiments(web), references.experiments(ads)) == ([], [Name("recs", "two")])
