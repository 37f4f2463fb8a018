"""Test robust, to give the compiler what no author would write, and see that it answers in time and in our words."""

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.language import brackets
from smoadsl.language.parse import parse
from smoadsl.language.tokens import words
from smoadsl.plan.compile import analyse, compile
from smoadsl.tools.reader import read_source
from tests.corpus_files import SOURCE, all_inside, cases

ROOT = Path(__file__).parent.parent
PIPELINES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipelines").rglob("*.moa"))]
SMALL = [case.texts[SOURCE] for case in cases("language") if not case.expected and not case.options]
SEED = 20241103
MANY = 100_000


def survives(text: str) -> list[str]:
    """The codes of what is said about a text: no exception, nothing outside of it, all of it can be shown."""
    source = Source("x.moa", text)
    program = analyse(source)
    assert all_inside(source, program.diagnostics)
    render(program.diagnostics)
    for name in program.value.main if program.value and program.ok else ():
        assert compile(source, name).value
    return [diagnostic.code for diagnostic in program.diagnostics]


@pytest.fixture(scope="session")
def share(request: pytest.FixtureRequest) -> Callable[[list[str], int], list[str]]:
    """So many of the texts, drawn once and for all; every one of them in the long profile."""
    everything = request.config.getoption("--profile") == "long"
    return lambda texts, most: texts if everything else Random(SEED).sample(texts, min(most, len(texts)))


# ---- what is cut, torn and mixed up


def pieces(text: str) -> list[str]:
    """The text in words and what stands between them."""
    places = [0]
    for token in words(text):
        places += [token.start_pos or 0, token.end_pos or 0]
    return [text[a:b] for a, b in zip(places, [*places[1:], len(text)], strict=True)]


def torn(text: str) -> Iterator[str]:
    """The text with each of its words left out, doubled, and changed for the next."""
    cut = pieces(text)
    for at in range(1, len(cut), 2):
        yield "".join(cut[:at] + cut[at + 1 :])
        yield "".join([*cut[:at], cut[at], " ", *cut[at:]])
        if at + 2 < len(cut):
            yield "".join([*cut[:at], cut[at + 2], cut[at + 1], cut[at], *cut[at + 3 :]])


def test_every_beginning_of_a_pipeline_is_read(share: Callable[[list[str], int], list[str]]) -> None:
    for beginning in share([text[:at] for text in (*PIPELINES, *SMALL) for at in range(len(text))], 2_000):
        survives(beginning)


def test_every_example_is_read_with_a_word_less_a_word_more_and_two_mixed_up(
    share: Callable[[list[str], int], list[str]],
) -> None:
    for broken in share([broken for text in (*PIPELINES, *SMALL) for broken in torn(text)], 1_500):
        survives(broken)


def test_a_byte_that_flips_is_told_or_harmless(share: Callable[[list[str], int], list[str]], tmp_path: Path) -> None:
    path = tmp_path / "x.moa"
    for text in share([*PIPELINES, *SMALL], 60):
        draw = Random(SEED)
        for _ in range(5):
            raw = bytearray(text.encode())
            raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
            path.write_bytes(raw)
            read = read_source(path)
            assert read.value is not None or read.diagnostics
            if read.value is not None:
                survives(read.value.text)


# ---- anything at all


@given(st.text())
@example("")
@example("}")
@example("\ufeff")
@example("\r")
@example("\u2028\x85")
@example('"\\')
@example("model model model")
@example("pipeline p { layer l { propose m, m, \n judge m } }")
def test_any_text_is_read(text: str) -> None:
    survives(text)


@given(st.text(alphabet="{}[]()=,.*\"'\\#$-1aé \n\r\t/|<>!&;:", max_size=60))
def test_any_signs_are_read(text: str) -> None:
    survives("model m = " + text)
    survives("pipeline p { layer l { propose m " + text)


@given(st.binary())
def test_any_bytes_are_read(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.moa"
    path.write_bytes(raw)
    read = read_source(path)
    if read.value is None:
        assert [d.code for d in read.diagnostics] == ["MOA001"]
    else:
        survives(read.value.text)


# ---- what files are made of


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_told(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "x.moa"
    path.write_bytes(PIPELINES[0].encode(encoding))
    read = read_source(path)
    said = read.diagnostics if read.value is None else parse(read.value).diagnostics
    assert [d.code for d in said] in (["MOA001"], ["MOA002"])


@pytest.mark.parametrize("at", [0, 1, 30, -1])
def test_a_byte_that_is_no_utf8_is_told_with_its_place(at: int, tmp_path: Path) -> None:
    raw = bytearray(PIPELINES[0].encode())
    raw[at:at] = b"\xff"
    path = tmp_path / "x.moa"
    path.write_bytes(raw)
    (said,) = read_source(path).diagnostics
    assert f"byte {raw.index(0xFF)} " in said.message


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.moa"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)
    begin = time.process_time()
    assert [d.code for d in read_source(path).diagnostics] == ["MOA003"]
    assert time.process_time() - begin < 0.5


def test_lines_are_counted_as_editors_do() -> None:
    source = Source("x.moa", "a\rb\r\nc\n\nd\u2028e\x85f\x0bg")
    assert [source.place(source.text.index(word)) for word in "abcdefg"] == [
        (1, 1), (2, 1), (3, 1), (5, 1), (5, 3), (5, 5), (5, 7)
    ]  # fmt: skip
    assert [source.line(number) for number in (1, 2, 3, 4)] == ["a", "b", "c", ""]


UNSEEN = (*range(1, 9), 11, 12, *range(14, 32), 127, 0x85, 0xA0, 0x200B, 0x2028, 0x3000, 0xFEFF)


@pytest.mark.parametrize("code", UNSEEN)
def test_a_character_that_can_not_be_seen_is_told(code: int) -> None:
    source = Source("x.moa", f'model m = "groq/x"{chr(code)}\npipeline p {{ aggregate m }}\n')
    (said,) = analyse(source).diagnostics
    assert (said.code, said.span.start, said.span.end) == ("MOA005", 18, 19)
    assert f"U+{code:04X}" in said.message
    assert chr(code) not in render([said])


@pytest.mark.parametrize("turn", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_what_turns_the_reading_order_is_told_wherever_it_stands(turn: str) -> None:
    start = "pipeline p { aggregate m }\n"
    assert survives(f'{start}model m = "groq/a{turn}b"\n') == ["MOA018"]
    assert survives(f'{start}model m = "groq/a" # a{turn}b\n') == ["MOA018"]
    assert survives(f'{start}model m{turn} = "groq/a"\n') == ["MOA005"]


NUMBERS = "1e999 -0x1 0x 1_ 1__0 -0 1.2.3 1. NaN inf -inf 00 1/2 5m/s $-1 $1.2.3 9" + "9" * 5_000
AMOUNTS = (
    "9" * 400 + "s", "9" * 5_000 + "/s", "0/s", "$" + "9" * 5_000, "-5s", "-$1", "0s", "0ms", "1_000h", "9" * 30 + "h",
    "9" * 28 + "/s", "$" + "9" * 28,
)  # fmt: skip


@pytest.mark.parametrize("number", [*NUMBERS.split(), *AMOUNTS], ids=lambda number: number[:12])
@pytest.mark.parametrize("key", ["temperature", "max_tokens", "timeout", "price", "stop"])
def test_any_number_is_a_value_or_told(number: str, key: str) -> None:
    survives(f'model m = "groq/x" {{ {key} = {number} }}\npipeline p {{ aggregate m }}\n')
    survives(f'param k = {number} in [{number}]\nmodel m = "groq/x"\npipeline p {{ aggregate m }}\n')
    survives(
        f'model m = "groq/x"\npipeline p {{\n  layer l repeat {number} {{\n    propose m * {number}\n'
        f"    judge m keep {number}\n    stop when round > {number} or spent.usd > {number}\n  }}\n  aggregate m\n}}\n"
    )


# ---- each mistake is told once


def test_ten_independent_mistakes_are_ten_diagnostics() -> None:
    (ten,) = [case for case in cases("language") if case.name.startswith("ten independent mistakes")]
    assert len({one.code[:4] for one in ten.expected}) >= 5
    assert len(ten.expected) == 10


def test_each_single_mistake_in_an_example_is_one_diagnostic() -> None:
    """Of the words that an example can not do without, each left out alone is one mistake, and most are told once."""
    counted: list[int] = []
    for text in PIPELINES:
        for broken in islice(torn(text), 0, None, 3):
            counted.append(len(parse(Source("x.moa", broken)).diagnostics))
    assert max(counted) <= 3
    assert sum(count <= 1 for count in counted) >= 0.97 * len(counted)


def test_the_reader_waits_for_nothing(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.moa"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no plain file"):
        read_source(pipe)


def test_nesting_is_counted_before_anything_is_built() -> None:
    depth = brackets.MOST_NESTING
    assert not parse(Source("x.moa", "roles r = " + "[" * depth + "]" * depth)).diagnostics
    deeper = parse(Source("x.moa", "roles r = " + "[" * (depth + 1) + "]" * (depth + 1)))
    assert [(d.code, d.span.start) for d in deeper.diagnostics] == [("MOA004", 10 + depth)]
