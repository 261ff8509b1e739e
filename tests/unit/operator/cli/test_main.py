from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from crossfade_operator.cli.main import run


@pytest.fixture
def command(rollout_object: dict[str, Any], cluster: Callable[..., Any]) -> Callable[..., tuple[int, str, Any]]:
    def call(*arguments: str) -> tuple[int, str, Any]:
        rollouts, out = cluster(rollout_object), io.StringIO()
        code = run(arguments, connect=lambda options: rollouts, out=out)
        return code, out.getvalue(), rollouts

    return call


def test_get_lists_without_a_name_and_shows_a_page_with_one(command: Callable[..., Any]) -> None:
    assert command("get")[1].startswith("NAME")
    assert "decisions" in command("get", "ranker")[1]


def test_json_is_the_object_itself(command: Callable[..., Any], rollout_object: dict[str, Any]) -> None:
    assert json.loads(command("get", "ranker", "-o", "json")[1]) == rollout_object
    assert json.loads(command("get", "-o", "json")[1])["items"] == [rollout_object]


def test_verbs_patch_once_and_say_what_they_asked(command: Callable[..., Any]) -> None:
    code, out, rollouts = command("promote", "ranker", "--full")
    ((name, patch),) = rollouts.patches
    value = patch["metadata"]["annotations"]["crossfade.dev/promote"]
    assert (code, name) == (0, "rollout/ranker")
    assert value.startswith("kx7wq2m9bc:full:")
    assert "all remaining steps skipped" in out


def test_two_requests_are_never_the_same(command: Callable[..., Any]) -> None:
    patches = [command("abort", "ranker")[2].patches[0][1] for _ in range(2)]
    assert patches[0] != patches[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("get", "nobody"), "it has: ranker", id="an-unknown-name-lists-what-exists"),
        pytest.param(("resume", "ranker"), "ranker is not paused", id="resume-what-runs"),
        pytest.param(("retry", "ranker"), "nothing to retry", id="retry-what-did-not-fail"),
    ],
)
def test_a_problem_is_a_sentence_and_exit_code_1(
    command: Callable[..., Any], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, rollouts = command(*arguments)
    assert (code, out, rollouts.patches) == (1, "", [])
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_an_empty_namespace_is_said(cluster: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get"], connect=lambda options: cluster()) == 1
    assert "namespace recs has no ModelRollout and no Experiment" in capsys.readouterr().err


def test_the_command_needs_no_kopf() -> None:
    code = "import sys, crossfade_operator.cli.main; sys.exit('kopf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_kubeconfig_is_a_sentence(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "--kubeconfig", str(tmp_path / "none")]) == 1
    assert "no usable kubeconfig" in capsys.readouterr().err


def test_an_unknown_context_names_those_that_exist(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "--kubeconfig", str(_kubeconfig(tmp_path, "http://127.0.0.1:1")), "--context", "prod"]) == 1
    assert "it has: dev" in capsys.readouterr().err


def test_an_api_server_that_is_down_is_a_sentence(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "--kubeconfig", str(_kubeconfig(tmp_path, "http://127.0.0.1:1"))]) == 1
    said = capsys.readouterr().err
    assert "http://127.0.0.1:1 does not answer" in said
    assert "refused" in said


def _kubeconfig(folder: Any, server: str) -> Any:
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "dev",
                "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev", "namespace": "recs"}}],
                "clusters": [{"name": "dev", "cluster": {"server": server}}],
                "users": [{"name": "dev", "user": {}}],
            }
        )
    )
    return path
