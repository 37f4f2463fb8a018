"""Highlight, to colour `.moa` texts wherever Pygments does: on documentation sites, in notebooks, in a pager.

The editors' grammar, `grammars/moa.tmLanguage.json`, has the same rules; a test holds both to the language's grammar.
"""

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, words  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

DECLARATIONS = ("import", "layer", "model", "param", "pipeline", "provider", "role", "roles", "template", "test")
STATEMENTS = (
    "activate", "aggregate", "answer", "budget", "expect", "input", "judge", "prompt", "propose", "quorum", "reply",
    "stop",
)  # fmt: skip
CLAUSES = ("after", "as", "by", "error", "for", "in", "keep", "repeat", "sees", "when")
OPERATORS = ("and", "contains", "matches", "not", "or")
CONSTANTS = ("false", "true")

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_NEW_NAME = rf"(?!(?:{'|'.join((*DECLARATIONS, *STATEMENTS, *CLAUSES, *OPERATORS, *CONSTANTS))})\b){_NAME}"
_IS_KEY = r"(?=[ \t]*=(?!=))"  # any word is an ordinary one as the key of a setting
_STATES = r"(?=[ \t]*[^\s.=<>!)}])(?![ \t]*(?:contains|matches|and|or)\b)"  # not so `answer` in an expectation


class MoaLexer(RegexLexer):  # type: ignore[misc]
    """For Pygments, which finds it by the entry point `pygments.lexers`."""

    name = "moa"
    aliases: ClassVar = ["moa"]
    filenames: ClassVar = ["*.moa"]
    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"#[^\r\n]*", Comment.Single),
            (r'"""', String.Doc, "text"),
            (r'"', String.Double, "string"),
            (r"'[^'\r\n]*'?", Error),
            (rf"{_NAME}{_IS_KEY}", Name.Attribute),
            (rf"(\.)([ \t]*)({_NAME})", bygroups(Punctuation, Whitespace, Name.Attribute)),
            (
                rf"({'|'.join(DECLARATIONS)})([ \t]+)({_NEW_NAME})",
                bygroups(Keyword.Declaration, Whitespace, Name.Class),
            ),
            (rf"answer\b{_STATES}", Keyword),
            (r"answer\b", Name.Variable),
            (words(DECLARATIONS, suffix=r"\b"), Keyword.Declaration),
            (words((*STATEMENTS, *CLAUSES), suffix=r"\b"), Keyword),
            (words(OPERATORS, suffix=r"\b"), Operator.Word),
            (words(CONSTANTS, suffix=r"\b"), Keyword.Constant),
            (rf"{_NAME}(?=[ \t]*\()", Name.Function),
            (_NAME, Name),
            (r"\$[0-9][0-9_]*(?:\.[0-9]+)?(?![\w.])", Number),
            (r"[0-9][0-9_]*/(?:s|min|h)\b", Number),
            (r"[0-9][0-9_]*(?:\.[0-9]+)?(?:ms|s|m|h)\b", Number),
            (r"-?[0-9][0-9_]*\.[0-9]+(?![\w.])", Number.Float),
            (r"-?[0-9][0-9_]*(?![\w.])", Number.Integer),
            (r"-?\$?\d[\w./]*", Error),
            (r">=|<=|==|!=|[<>=*]", Operator),
            (r"[(){}\[\],.]", Punctuation),
            (r".", Error),
        ],
        "string": [
            (r'[^"\\\r\n]+', String.Double),
            (r"\\.", String.Escape),
            (r'"', String.Double, "#pop"),
            (r"\\?(?=[\r\n]|\Z)", String.Double, "#pop"),
        ],
        "text": [
            (r'"""', String.Doc, "#pop"),
            (r'\{[{%#](?:(?!""").)*?[}%#]\}', String.Interpol),
            (r'[^"{]+|["{]', String.Doc),
        ],
    }
