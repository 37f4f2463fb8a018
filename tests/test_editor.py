"""Test editor, to hold the colours of editors and of Pygments to the language's own grammar, on all texts there are."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lark import Token
from pygments.lexers import load_lexer_from_file  # type: ignore[import-untyped]
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String  # type: ignore[import-untyped]

from smoadsl.language import tokens
from smoadsl.tools import highlight
from smoadsl.tools.highlight import MoaLexer
from smoadsl.tools.starter import starter
from tests.corpus_files import FOLDER as CORPUS
from tests.test_docs import DOCUMENTS, PIPELINES, ROOT, blocks

FOLDER = tokens.grammar_folder()
GRAMMAR = (FOLDER / "moa.lark").read_text(encoding="utf-8")
EDITORS = json.loads((FOLDER / "moa.tmLanguage.json").read_bytes())
GROUPS: Mapping[str, tuple[tuple[str, ...], str, Any]] = {  # words, their scope in editors, and their kind in Pygments
    "declarations": (highlight.DECLARATIONS, "keyword.declaration", Keyword.Declaration),
    "statements": (highlight.STATEMENTS, "keyword.control.statement", Keyword),
    "clauses": (highlight.CLAUSES, "keyword.control.clause", Keyword),
    "operators": (highlight.OPERATORS, "keyword.operator.word", Operator.Word),
    "constants": (highlight.CONSTANTS, "constant.language", Keyword.Constant),
}
KINDS: Mapping[str, tuple[str, Any]] = {
    **{name: (scope, kind) for name, (_, scope, kind) in GROUPS.items()},
    "comment": ("comment.line", Comment.Single),
    "string": ("string.quoted", String),
    "number": ("constant.numeric", Number),
    "name": ("(?:variable|support.function|entity.name)", Name),
}
GROUP_OF = {word: name for name, (words, _, _) in GROUPS.items() for word in words}
LITERALS = {
    **dict.fromkeys(("STRING", "TEXT", "OPEN_STRING", "OPEN_TEXT"), "string"),
    **dict.fromkeys(("INT", "FLOAT", "DURATION", "MONEY", "RATE"), "number"),
}


def texts() -> Iterator[tuple[str, list[str]]]:
    """All texts in the language that the project has, by the file they stand in."""
    for path in (*PIPELINES, *sorted(CORPUS.rglob("*.moa"))):
        cases = re.split(r"^--- .* ---$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        yield path.relative_to(ROOT).as_posix(), [text for text in cases if "--escapes" not in text]
    for document in DOCUMENTS:
        yield document.name, [block.text for block in blocks(document) if block.language == "moa"]
    yield "starter", [starter({}).text, starter({"GROQ_API_KEY": "x"}).text]


ALL = [pytest.param(found, id=name) for name, found in texts()]


# ---- what the language's own grammar says


def kinds(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each word, literal and comment stands, and of which kind it is."""
    found = list(tokens.words(text))
    ends = 0
    for index, token in enumerate([*found, Token("$END", "", len(text))]):
        start = token.start_pos or 0
        for comment in re.finditer(r"#[^\r\n]*", text[ends:start]):
            yield ends + comment.start(), ends + comment.end(), "comment"
        ends = token.end_pos or start
        before, after = (found[at].type if 0 <= at < len(found) else "_NL" for at in (index - 1, index + 1))
        kind = _kind(token, before, after)
        if kind:
            yield start, ends, kind


def _kind(token: Token, before: str, after: str) -> str | None:
    if token in GROUP_OF and token.type not in ("STRING", "TEXT"):
        path = token == "answer" and after in ("OPERATOR", "AND", "OR", "RPAR", "RBRACE", "DOT", "_NL")
        return "name" if after == "EQUAL" or before == "DOT" or path else GROUP_OF[token]
    return "name" if token.type == "NAME" else LITERALS.get(token.type)


def test_the_keywords_are_the_grammars() -> None:
    words = re.findall(r"^[A-Z]+\.2: +/([a-z]+)\\b/", GRAMMAR, re.MULTILINE)
    (operators,) = re.findall(r"^OPERATOR\.3: +/(.*)/$", GRAMMAR, re.MULTILINE)
    words += re.findall(r"([a-z]+)\\b", operators)
    assert sorted(GROUP_OF) == sorted(words)
    assert len(GROUP_OF) == sum(len(group) for group, _, _ in GROUPS.values())
    scopes = {rule["name"].removesuffix(".moa"): rule["match"] for rule in EDITORS["repository"]["keyword"]["patterns"]}
    own = {scope: set(re.findall(r"[a-z]{2,}", match)) for scope, match in scopes.items()}
    assert own == {scope: set(group) - {"answer"} for group, scope, _ in GROUPS.values()}
    declaration = EDITORS["repository"]["declaration"]["match"]
    declares, excluded = (part.split("|") for part in re.findall(r"\((?:\?:)?([a-z|]{20,})\)", declaration))
    assert (sorted(declares), sorted(excluded)) == (sorted(highlight.DECLARATIONS), sorted(words))


# ---- Pygments


@pytest.mark.parametrize("found", ALL)
def test_pygments_sees_what_the_grammar_sees(found: list[str]) -> None:
    for text in found:
        seen = [kind for _, kind, value in MoaLexer().get_tokens_unprocessed(text) for _ in value]
        assert len(seen) == len(text)
        for start, end, kind in kinds(text):
            due = KINDS[kind][1]
            wrong = {one for one in seen[start:end] if one not in due or (due is Keyword and one is not Keyword)}
            assert not wrong, (text[start:end], kind, text)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_nothing_is_marked_wrong_that_is_right(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert Error not in {kind for _, kind, _ in MoaLexer().get_tokens_unprocessed(text)}
    assert not [scope for scope in coloured(text) if "invalid" in scope]


def test_pygments_can_load_it() -> None:
    lexer = load_lexer_from_file(highlight.__file__, "MoaLexer")
    assert (lexer.name, lexer.aliases, lexer.filenames) == ("moa", ["moa"], ["*.moa"])


# ---- editors: as much of a TextMate engine as our own grammar needs


@cache
def pattern(written: str) -> re.Pattern[str]:
    return re.compile(written)


def rules(patterns: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rules that patterns include, in their order."""
    for rule in patterns:
        if "include" in rule:
            rule = EDITORS["repository"][rule["include"].removeprefix("#")]
        if "match" in rule or "begin" in rule:
            yield rule
        else:
            yield from rules(rule["patterns"])


OUTER = [*rules(EDITORS["patterns"])]


def coloured(text: str) -> list[str]:
    """For each character its scopes, the outermost first; line ends have those of what goes on over them."""
    scopes: list[str] = []
    inside: Mapping[str, Any] | None = None
    for line, end in re.findall(r"([^\r\n]*)(\r\n|\r|\n|\Z)", text):
        at = 0
        while True:
            around = inside["name"] if inside else ""
            found, rule = first(line, at, inside)
            scopes += [around] * ((found.start() if found else len(line)) - at)
            if found is None:
                break
            at = found.end()
            if rule is None:  # the end of what it is inside of
                scopes += [around] * len(found.group())
                inside = None
            elif "begin" in rule:
                scopes += [rule["name"]] * len(found.group())
                inside = rule
            else:
                scopes += captured(rule, found, around)
        scopes += [inside["name"] if inside else ""] * len(end)
    return scopes


def first(
    line: str, at: int, inside: Mapping[str, Any] | None
) -> tuple[re.Match[str] | None, Mapping[str, Any] | None]:
    """The match that comes first, and its rule; None for the rule that ends what the line is inside of."""
    best = pattern(inside["end"]).search(line, at) if inside else None
    chosen: Mapping[str, Any] | None = None
    for rule in OUTER if inside is None else rules(inside["patterns"]):
        found = pattern(rule.get("match") or rule["begin"]).search(line, at)
        if found and (best is None or found.start() < best.start()):
            best, chosen = found, rule
    return best, chosen


def captured(rule: Mapping[str, Any], found: re.Match[str], around: str) -> list[str]:
    scopes = [f"{around} {rule.get('name', '')}".strip()] * len(found.group())
    for group, capture in rule.get("captures", {}).items():
        start, end = (place - found.start() for place in found.span(int(group)))
        scopes[start:end] = [capture["name"]] * (end - start)
    return scopes


@pytest.mark.parametrize("found", ALL)
def test_editors_see_what_the_grammar_sees(found: list[str]) -> None:
    for text in found:
        seen = coloured(text)
        assert len(seen) == len(text)
        for start, end, kind in kinds(text):
            wrong = {one for one in seen[start:end] if not re.match(KINDS[kind][0], one)}
            assert not wrong, (text[start:end], kind, text)


@pytest.mark.parametrize(
    ("text", "word", "scope", "kind"),
    [
        ('model qwen = "a/b"', "qwen", "entity.name.type.moa", Name.Class),
        ("stop pipeline when true", "pipeline", "keyword.declaration.moa", Keyword.Declaration),
        ("judge score(qwen)", "score", "support.function.moa", Name.Function),
        ('{ test = "yes" }', "test", "variable.other.property.moa", Name.Attribute),
        ("expect plan.max_calls == 1", "max_calls", "variable.other.member.moa", Name.Attribute),
        (r'role r = "a\n"', r"\n", "string.quoted.double.moa constant.character.escape.moa", String.Escape),
        (
            '"""{{ prompt }}"""',
            "{{ prompt }}",
            "string.quoted.triple.moa constant.other.placeholder.moa",
            String.Interpol,
        ),
        ("""model m = 'a"b' # c""", """'a"b'""", "invalid.illegal.quotes.moa", Error),
        ("timeout = 20sec", "20sec", "invalid.illegal.number.moa", Error),
    ],
)
def test_a_word_has_its_colour(text: str, word: str, scope: str, kind: Any) -> None:
    places = range(text.index(word), text.index(word) + len(word))
    assert {coloured(text)[at] for at in places} == {scope}
    seen = [kind for _, kind, value in MoaLexer().get_tokens_unprocessed(text) for _ in value]
    assert {seen[at] for at in places} == {kind}


def test_every_scope_is_ours() -> None:
    written = re.findall(r'"name": "([^"]+)"', (FOLDER / "moa.tmLanguage.json").read_text(encoding="utf-8"))
    assert written.pop(0) == "moa"
    assert [scope for scope in written if not scope.endswith(".moa")] == []
