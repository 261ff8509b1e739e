from __future__ import annotations

import json
import socket

import pytest

from dev.load.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["ftp://x"], "must be http://HOST:PORT", id="not-http"),
        pytest.param(["http://x:99999"], "must be http://HOST:PORT", id="no-such-port"),
        pytest.param(["http://x:80", "--rate", "0"], "must be a number above 0", id="no-rate"),
        pytest.param(["http://x:80", "--seconds", "1e9"], "start a second load", id="without-end"),
        pytest.param(["http://x:80", "--connections", "0"], "must be 1 or more", id="no-connection"),
    ],
)
def test_bad_options_are_refused_with_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_failures_of_delivery_are_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        assert main([f"http://127.0.0.1:{port}", "--seconds", "0.1", "--rate", "100", "--json-lines"]) == 1
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["failed"]["kinds"] == {"refused": summary["requests"]}
