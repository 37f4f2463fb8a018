"""Test grammar, to let the grammar write files of its own and see that all of them are read, whole or broken."""

import re
from collections.abc import Callable
from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark

from smoadsl.diagnostics.source import Source
from smoadsl.language import tokens
from smoadsl.language.parse import parse
from smoadsl.language.syntax_problems import KEYWORDS
from smoadsl.plan.compile import analyse, compile
from tests.corpus_files import all_inside

NAMES = ("qwen", "m", "panel", "smoa", "k", "moderator", "agreement", "score", "vote", "all", "ring", "groq", "file")
WORDS = {
    "NAME": NAMES,
    "STRING": ('""', '"groq/x"', '"a \\n \\u00e9 \\"b\\""', '"# no { comment"', '"{{ prompt }}"'),
    "TEXT": ('""""""', '"""one"""', '"""\n  {{ prompt }} \\d "x"\n  """'),
    "INT": ("0", "2", "60_000", "-1"),
    "FLOAT": ("0.5", "-0.25", "1_000.0"),
    "DURATION": ("250ms", "20s", "1.5m", "1h"),
    "MONEY": ("$0.05", "$3"),
    "RATE": ("600/min", "10/s"),
    "OPERATOR": ("==", ">=", "<", "!=", "contains", "matches"),
    "COMMENT": ("",),  # it would swallow what the grammar writes after it: `laid_out` adds comments where lines end
    "SPACE": (" ", "\t"),
}
SIGNS = {"LBRACE": "{", "RBRACE": "}", "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "EQUAL": "=", "COMMA": ","}


@cache
def grammar() -> Lark:
    text = (tokens.grammar_folder() / "moa.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="basic", start=list(tokens.STARTS))


def written(start: str) -> st.SearchStrategy[str]:
    """Texts that a rule of the grammar writes. Words keep their distance, for it knows of no word's end."""
    words = {**WORDS, **{word.upper(): (word,) for word in KEYWORDS}, **{name: (sign,) for name, sign in SIGNS.items()}}
    words |= {"DOT": (".",), "STAR": ("*",)}
    explicit = {name: st.sampled_from([f" {word} " for word in choice]) for name, choice in words.items()}
    return from_lark(grammar(), start=start, explicit={**explicit, "_NL": st.just("\n")})


def laid_out(text: str) -> str:
    """The same in another layout: comments and blank lines where lines end, and more space between words."""
    strings = re.split(r'("""[\s\S]*?"""|"(?:[^"\\]|\\.)*")', text)
    strings[::2] = [part.replace("\n", "  # a note\r\n\n\t").replace(" ", "  ") for part in strings[::2]]
    return "".join(strings)


@given(written("item"))
def test_what_the_grammar_writes_is_read(text: str) -> None:
    source = Source("x.moa", text)
    read = parse(source)
    assert [d.message for d in read.diagnostics if d.code != "MOA004"] == []
    assert read.value == parse(source).value
    other = parse(Source("x.moa", laid_out(text)))
    assert read.value == other.value
    assert read.value is None or read.diagnostics or len(read.value.items) == 1


@given(st.lists(written("item"), max_size=4))
def test_what_the_grammar_writes_is_checked(items: list[str]) -> None:
    source = Source("x.moa", "\n".join(items))
    program = analyse(source)
    assert all_inside(source, program.diagnostics)
    for name in program.value.main if program.value and program.ok else ():
        plan = compile(source, name)
        assert plan.value is not None, plan.diagnostics


BREAKS: tuple[Callable[[list[str], int], list[str]], ...] = (
    lambda words, at: words[:at] + words[at + 1 :],
    lambda words, at: words[: at + 1] + words[at:],
    lambda words, at: words[:at] + words[at + 1 : at + 2] + words[at : at + 1] + words[at + 2 :],
    lambda words, at: [*words[:at], "}", *words[at:]],
    lambda words, at: [*words[:at], "(", *words[at:]],
    lambda words, at: [*words[:at], '"', *words[at:]],
    lambda words, at: [*words[:at], "é", *words[at:]],
    lambda words, at: words[:at],
)


@given(written("start"), st.lists(st.tuples(st.sampled_from(BREAKS), st.integers(0, 10_000)), min_size=1, max_size=3))
def test_what_is_broken_is_told(text: str, breaks: list[tuple[Callable[[list[str], int], list[str]], int]]) -> None:
    words = re.split(r"(\s+)", text)
    for change, at in breaks:
        words = change(words, at % (len(words) + 1))
    source = Source("x.moa", "".join(words))
    read = parse(source)
    assert read == parse(source)
    assert all_inside(source, read.diagnostics)
    assert all_inside(source, analyse(source).diagnostics)
