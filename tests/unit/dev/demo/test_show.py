from __future__ import annotations

import io

from dev.demo.show import Show


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_its_live_line_wiped_before_a_lasting_one() -> None:
    out = Terminal()
    show = Show(out)
    show.live("waiting")
    show.live("still waiting")
    show.say("done")
    assert out.getvalue().endswith("\r\x1b[Kdone\n")
    assert out.getvalue().count("\n") == 1


def test_a_log_gets_the_live_line_now_and_then_and_no_escapes() -> None:
    out, clock = io.StringIO(), [0.0]
    show = Show(out, now=lambda: clock[0])
    for second in range(25):
        clock[0] = float(second)
        show.live(f"second {second}")
    show.heading("next")
    assert [line.strip() for line in out.getvalue().splitlines() if "second" in line] == [
        "second 0",
        "second 10",
        "second 20",
    ]
    assert "\x1b" not in out.getvalue()


def test_a_live_line_never_wraps() -> None:
    out = Terminal()
    Show(out).live("x" * 500)
    assert "x" * 101 not in out.getvalue()
    assert "…" in out.getvalue()
