"""Tokens, to cut a text into words and settle where its statements end."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.grammar import Rule
from lark.lexer import LexerThread, TerminalDef

STARTS = ("start", "item", "value")
_OPENING, _CLOSING = ("LPAR", "LSQB", "LBRACE"), ("RPAR", "RSQB", "RBRACE")
_GOES_ON_AFTER = ("LBRACE", "COMMA", "AND", "OR", "NOT")
_STATEMENTS = (
    "IMPORT PARAM PROVIDER MODEL ROLE ROLES TEMPLATE PIPELINE TEST BUDGET LAYER AGGREGATE "
    "PROPOSE ACTIVATE QUORUM JUDGE STOP PROMPT INPUT REPLY EXPECT"
).split()
_SECOND_WORDS = ("NAME", "STRING", "TEXT", "INT", "LBRACE", "WHEN", "PIPELINE")
UNREADABLE = ("OPEN_TEXT", "OPEN_STRING", "SINGLE_QUOTED", "BAD_NUMBER", "UNKNOWN")


class LineEnds:
    """Drops the line ends that do not count: those inside ( ) and [ ], after an opening brace, a comma, `and`, `or`
    and `not`, before a closing brace, at both ends of the text, and all but one of several. A line that begins as only
    a statement does counts even so, and ends every ( and [ that is open: a forgotten one does not swallow the rest."""

    always_accept = (*UNREADABLE, "_NL")  # makes lark keep terminals that no rule takes

    def process(self, stream: Iterable[Token]) -> Iterator[Token]:
        pending: Token | None = None  # the line end that is passed on if it turns out to count
        passed: Token | None = None  # the line end since the last word
        last = "LBRACE"
        brackets: list[str] = []
        for token, following in _with_next(stream):
            if token.type == "_NL":
                passed = token
                if last not in _GOES_ON_AFTER and (not brackets or brackets[-1] == "LBRACE"):
                    pending = pending or token
                continue
            if passed and last != "LBRACE" and not pending and _begins_a_statement(token, following):
                pending = passed
                while brackets and brackets[-1] != "LBRACE":
                    brackets.pop()
            if token.type in _OPENING:
                brackets.append(token.type)
            elif token.type in _CLOSING and brackets:
                brackets.pop()
            if pending is not None and token.type != "RBRACE":
                yield pending
            pending = passed = None
            last = token.type
            yield token


def _with_next(stream: Iterable[Token]) -> Iterator[tuple[Token, Token | None]]:
    ahead = iter(stream)
    token = next(ahead, None)
    while token is not None:
        following = next(ahead, None)
        yield token, following
        token = following


def _begins_a_statement(token: Token, following: Token | None) -> bool:
    """Whether no value and no condition begins so."""
    return token.type in _STATEMENTS and following is not None and following.type in _SECOND_WORDS


def grammar_folder() -> Path:
    """Where the grammar lies: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "grammars"
    return inside if inside.is_dir() else package.parent / "grammars"


def build_tables() -> dict[str, object]:
    """The parser's tables, built from the grammar. Slow, so they are shipped: `python -m smoadsl.language.tokens`."""
    grammar = (grammar_folder() / "moa.lark").read_text(encoding="utf-8")
    parser = Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        start=list(STARTS),
        postlex=LineEnds(),
        propagate_positions=True,
        maybe_placeholders=False,
    )
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    data["options"] = {name: value for name, value in data["options"].items() if name != "postlex"}
    return {"grammar": fingerprint(grammar), "data": data, "memo": memo}


def fingerprint(grammar: str) -> str:
    """What ties the shipped tables to the grammar that they were built from."""
    return hashlib.sha256(grammar.encode()).hexdigest()


@cache
def parser() -> Lark:
    """The parser, from the shipped tables."""
    return load(json.loads((grammar_folder() / "moa.tables.json").read_bytes()))


def load(tables: Any) -> Lark:
    """A parser from tables as JSON keeps them."""
    _number(tables)
    make: Callable[..., Lark] = Lark._load_from_dict  # what lark's own generated parsers call
    return make(tables["data"], tables["memo"], postlex=LineEnds(), propagate_positions=True)


def words(text: str) -> Iterator[Token]:
    """The words of a text one by one, with every line end."""
    postlexing: Any = parser().parser.lexer
    thread: Any = LexerThread.from_text(postlexing.lexer, text)
    stream: Iterator[Token] = thread.lex(None)
    return stream


def _number(tables: Any) -> None:
    """Lark numbers its states and symbols; JSON has no keys but text."""
    parsing = tables["data"]["parser"]["parser"]
    parsing["states"] = {int(state): _numbered(actions) for state, actions in parsing["states"].items()}
    parsing["tokens"], tables["memo"] = _numbered(parsing["tokens"]), _numbered(tables["memo"])


def _numbered(table: dict[str, Any]) -> dict[int, Any]:
    return {int(number): value for number, value in table.items()}


if __name__ == "__main__":
    tables = json.dumps(build_tables(), sort_keys=True, separators=(",", ":"))
    (grammar_folder() / "moa.tables.json").write_text(tables + "\n", encoding="utf-8")
