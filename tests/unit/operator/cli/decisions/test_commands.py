from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade_operator.cli.decisions import listing
from crossfade_operator.cli.decisions.view import decision_of
from crossfade_operator.cli.main import run
from crossfade_operator.cli.paint import Paint, width

Command = Callable[..., tuple[int, str]]
Golden = Callable[[str, str], None]
NOW = datetime(2026, 12, 3, tzinfo=UTC)
SORTS = ("crashed", "rolled-back", "promoted", "hurried", "shipped", "shipped-against-the-rule")


@pytest.fixture
def records(record: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    return [record(sort) for sort in SORTS]


@pytest.fixture
def command(cluster: Callable[..., Any], records: list[dict[str, Any]]) -> Command:
    def call(*arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        code = run(arguments, connect=lambda options: cluster(*records), out=out, now=lambda: NOW)
        return code, out.getvalue()

    return call


def _names(text: str) -> list[str]:
    return [line.split()[2] for line in text.splitlines()[1:]]


def test_decisions_are_listed_newest_first_with_dissent_and_overruling_marked(command: Command, golden: Golden) -> None:
    code, out = command("decisions")
    assert code == 0
    golden("decisions", out)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        pytest.param(["--experiment", "new-ranker"], ["new-ranker-exp-000003", "new-ranker-exp-000002"], id="about"),
        pytest.param(["--rollout", "ranker", "--action", "rollback"], ["ranker-000007", "ranker-000005"], id="action"),
        pytest.param(["--since", "8d"], ["new-ranker-exp-000003", "new-ranker-exp-000002"], id="a-span"),
        pytest.param(["--since", "2026-12-02"], ["new-ranker-exp-000003"], id="a-date"),
        pytest.param(["--model", "7e7e7e7e", "--action", "Promote"], ["ranker-000011", "ranker-000009"], id="a-digest"),
        pytest.param(["--model", "treatment", "--since", "2026-12-02"], ["new-ranker-exp-000003"], id="an-arm"),
    ],
)  # fmt: skip
def test_filters_narrow_what_is_listed(command: Command, filters: list[str], names: list[str]) -> None:
    assert _names(command("decisions", *filters)[1]) == names


def test_longer_ago_than_time_began_is_ever(command: Command) -> None:
    assert _names(command("decisions", "--since", "999999d")[1]) == _names(command("decisions")[1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["decisions", "--owner", "team-nobody"], "has no such decision", id="nothing-found"),
        pytest.param(["decisions", "--model", "7e7e"], "has no such decision", id="a-digest-too-short-to-mean-one"),
        pytest.param(["decisions", "--since", "yesterday"], "'yesterday' is no time", id="no-time"),
        pytest.param(["explain", "exp/other"], "no decision about exp/other in namespace recs yet", id="undecided"),
        pytest.param(["explain", "metric/plays"], "write decision/NAME or rollout/NAME or exp/NAME", id="another-kind"),
    ],
)
def test_what_cannot_be_found_is_a_sentence(
    command: Command, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert command(*arguments) == (1, "")
    assert said in capsys.readouterr().err


def test_an_unknown_action_names_those_there_are(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command("decisions", "--action", "levitate")
    assert ended.value.code == 2
    assert "none of Start, Advance" in capsys.readouterr().err


def test_explain_takes_the_newest_decision_of_a_rollout_or_experiment(command: Command) -> None:
    assert command("explain", "rollout/ranker")[1].startswith("ranker-000011 · decision in recs")
    assert command("explain", "exp/new-ranker")[1].startswith("new-ranker-exp-000003")
    assert command("explain", "ranker-000005")[1].startswith("ranker-000005")


def test_diff_ends_like_diff(command: Command) -> None:
    assert command("diff", "ranker-000005", "decision/ranker-000005") == (
        0,
        "ranker-000005 and ranker-000005 say the same.\n",
    )
    code, out = command("diff", "exp/new-ranker", "new-ranker-exp-000002", "-o", "json")
    assert code == 1
    assert json.loads(out)["differences"]["Checks"] == ["StartSkew: only in new-ranker-exp-000003"]
    assert command("diff", "ranker-000005", "nobody")[0] == 2


def test_lines_are_cut_to_a_terminal_and_whole_elsewhere(records: list[dict[str, Any]]) -> None:
    decisions = [decision_of(obj) for obj in records]
    lines = listing.table(decisions, Paint(on=True), 80, namespaces=False)
    assert max(map(width, lines)) <= 80
    assert lines[5].endswith("…")
    assert "…" not in "".join(listing.table(decisions, Paint(on=False), None, namespaces=True))
