"""Test progress, to tell how far a batch is in one line that fits, and to fall silent where nobody listens."""

import re
import sys
from decimal import Decimal
from io import StringIO

import pytest

from smoadsl.tools.progress import Bar


class Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_pipe_gets_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    bar = Bar(100_000, clock, terminal=False)
    for done in range(1, 1_300):
        clock.now_s = done / 10
        bar.show(done, 0, done // 1_000, Decimal(done) / 10_000, done * 1_000)
    bar.close()
    assert capsys.readouterr().err.splitlines() == [
        "300 of 100,000 rows · 2.8 h left · 10.0/s · $0.0300 · 300k tokens",
        "600 of 100,000 rows · 2.8 h left · 10.0/s · $0.0600 · 600k tokens",
        "900 of 100,000 rows · 2.8 h left · 10.0/s · $0.0900 · 900k tokens",
        "1,200 of 100,000 rows · 2.7 h left · 10.0/s · 1 failed · $0.1200 · 1.2M tokens",
    ]


CASES = [
    (50, 0, 0, "0", 100, 10.0, "10 s left · 5.0/s · 100 tokens"),
    (50, 40, 0, "0", 9_999, 10.0, "50 s left · 1.0/s · 9,999 tokens"),
    (0, 0, 0, "0", 0, 10.0, "0.0/s · 0 tokens"),
    (100, 0, 3, "0.5", 10_000, 0.5, "0 s left · 200/s · 3 failed · $0.5000 · 10k tokens"),
    (10, 0, 0, "1234.5", 12_345_678, 60.0, "9 min left · 0.2/s · $1,234.50 · 12M tokens"),
]


@pytest.mark.parametrize(("done", "earlier", "failed", "usd", "tokens", "at_s", "words"), CASES)
def test_what_is_said(
    capsys: pytest.CaptureFixture[str],
    done: int,
    earlier: int,
    failed: int,
    usd: str,
    tokens: int,
    at_s: float,
    words: str,
) -> None:
    """The rate is that of this sitting: what was done before it says nothing of what is to come."""
    clock = Clock()
    bar = Bar(100, clock, terminal=False)
    clock.now_s = at_s
    bar._said_s = -100.0
    bar.show(done, earlier, failed, Decimal(usd), tokens)
    assert capsys.readouterr().err == f"{done} of 100 rows · {words}\n"


def test_a_bar_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of ten million rows, and where much failed."""
    screen = StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    clock = Clock()
    bar = Bar(10_000_000, clock, terminal=True)
    clock.now_s = 3_600.0
    bar.show(4_000_000, 0, 12_345, Decimal("1234.5"), 123_456_789)
    bar.say("stopping\x1b[2J now [bold]")
    bar._shown.refresh()
    bar.close()
    bar.close()
    said = screen.getvalue()
    assert "4,000,000 of 10,000,000 rows" in said
    assert "1.5 h left · 1,111/s" in said
    assert "\x1b[2J" not in said
    assert "now [bold]" in said
    plain = [line for line in said.replace("\r", "\n").split("\n") if "left" in line]
    assert plain
    assert all(len(_without_escapes(line)) <= 80 for line in plain)


def _without_escapes(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)


def test_a_reader_who_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    clock = Clock()
    bar = Bar(10, clock, terminal=False)
    clock.now_s = 60.0
    bar.show(1, 0, 0, Decimal(0), 1)
    bar.say("a line")
    bar.close()
    assert bar._said_s == 60.0
