"""Test safe, to hold what others wrote to printable characters, whole or in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.show.safe import PrintableStream, counted, encodable, laid_out, listed, one_line, printable_text
from tests.show.runs import HOSTILE, RAW

TEXTS = st.text(st.sampled_from(HOSTILE + "\n\t\r\u00a0\u3000\u200da"))

PRINTABLE = {
    "plain\n\ttext": "plain\n\ttext",
    "dos\r\nlines\r\n": "dos\nlines\n",
    "over\rwritten": "over\\u000dwritten",
    "\x1b[31mred": "\\u001b[31mred",
    "c1 \x9b2J": "c1 \\u009b2J",
    "\u202etxt.exe": "\\u202etxt.exe",
    "dix\u00a0mille, 東京\u3000駅": "dix\u00a0mille, 東京\u3000駅",
    "👩\u200d🔬 می\u200cخواهم": "👩\u200d🔬 می\u200cخواهم",
    "half \ud83d pair": "half \\ud83d pair",
    "[/nope]": "[/nope]",
}


@pytest.mark.parametrize("text", PRINTABLE)
def test_printable_text(text: str) -> None:
    assert printable_text(text) == PRINTABLE[text]


@given(TEXTS)
def test_nothing_raw_is_left(text: str) -> None:
    assert not RAW & set(printable_text(text) + one_line(text) + listed([text, text]) + laid_out([(2, text)], 20))


@given(st.lists(TEXTS))
def test_pieces_are_shown_as_the_whole_is(pieces: list[str]) -> None:
    stream = PrintableStream()
    assert "".join([*map(stream.feed, pieces), stream.end()]) == printable_text("".join(pieces))


def test_an_encoding_that_lacks_a_character() -> None:
    assert encodable("naïve · 東", "ascii") == "na\\xefve \\xb7 \\u6771"
    assert encodable("naïve · 東", None) == "naïve · 東"


def test_one_line() -> None:
    assert one_line(" a\n b\t c ") == "a b c"
    assert one_line("four words of text", 12) == "four words…"
    assert one_line("unbreakable" * 3, 12) == "unbreakable…"


@pytest.mark.parametrize(("names", "said"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), ("abc", "a, b and c")])
def test_listed(names: tuple[str, ...], said: str) -> None:
    assert listed(names) == said


@given(TEXTS, st.integers(-1, 30))
def test_any_width_will_do(text: str, width: int) -> None:
    assert laid_out([(0, text), (4, text)], width).endswith("\n")


def test_one_is_one() -> None:
    assert [counted(number, "call") for number in (0, 1, 2, 12_555)] == ["0 calls", "1 call", "2 calls", "12,555 calls"]


def test_lines_are_laid_out_by_columns_and_not_by_characters() -> None:
    assert laid_out([(2, "東京東京 a\n  b")], 8) == "  東京東\n  京 a\n    b\n"
