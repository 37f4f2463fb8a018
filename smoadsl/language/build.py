"""Build, to turn a parsed tree into nodes: one function for each rule of the grammar that makes a node."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from lark import Token, Tree

from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import nodes
from smoadsl.language import syntax_problems as problems

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PER = {"s": 1.0, "min": 60.0, "h": 3600.0}
_BETWEEN = re.compile(r"#[^\r\n]*|\s+")  # what may stand between the parts of a path
_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])|\\.?')


def build_item(source: Source, tree: object, said: list[Diagnostic]) -> nodes.Item:
    return cast(nodes.Item, _Builder(source, said).node(tree))


def build_value(source: Source, tree: object, said: list[Diagnostic]) -> nodes.Value:
    return cast(nodes.Value, _Builder(source, said).node(tree))


class _Part:
    """The children of one tree, taken by what they are; keywords and punctuation have done their work and are gone."""

    def __init__(self, builder: "_Builder", tree: Tree[Token]) -> None:
        self.builder = builder
        self.span = builder.span(tree)
        self.words = [child for child in tree.children if isinstance(child, Token)]
        self._named: dict[str, Any] = {}
        self.rest: list[Any] = []
        for child in tree.children:
            if isinstance(child, Tree):
                if child.data in ("alias", "times", "as", "sees", "keep", "after", "repeat", "when", "choices"):
                    inner = [c for c in child.children if not (isinstance(c, Token) and c.type != "NAME")]
                    self._named[child.data] = builder.node(inner[0])
                else:
                    self.rest.append(builder.node(child))
            elif child.type == "NAME":
                self.rest.append(nodes.Name(builder.span(child), str(child)))

    def text(self, word: Token) -> nodes.Text:
        return self.builder.string(word, self.builder.span(word))

    def named(self, rule: str) -> Any:
        return self._named.get(rule)

    def take(self) -> Any:
        return self.rest.pop(0) if self.rest else None

    def take_last(self, kind: type) -> Any:
        return self.rest.pop() if self.rest and isinstance(self.rest[-1], kind) else None


class _Builder:
    def __init__(self, source: Source, said: list[Diagnostic]) -> None:
        self.source = source
        self.said = said

    def span(self, piece: Tree[Token] | Token) -> Span:
        at = piece if isinstance(piece, Token) else piece.meta
        return Span(self.source, getattr(at, "start_pos", 0) or 0, getattr(at, "end_pos", 0) or 0)

    def node(self, piece: object) -> Any:
        if isinstance(piece, Token):
            return nodes.Name(self.span(piece), str(piece))
        tree = cast("Tree[Token]", piece)
        literal = _LITERALS.get(tree.data)
        if literal:
            return literal(self, tree.children[0], self.span(tree))
        return _RULES[tree.data](_Part(self, tree))

    # ---- literals

    def number(self, token: Token, span: Span) -> nodes.Number:
        digits = token.replace("_", "")
        return nodes.Number(span, float(digits) if "." in digits else int(digits))

    def duration(self, token: Token, span: Span) -> nodes.Duration:
        amount, unit = cast("re.Match[str]", re.fullmatch(r"([\d_.]+)(ms|s|m|h)", token)).groups()
        return nodes.Duration(span, float(amount.replace("_", "")) * _SECONDS[unit])

    def money(self, token: Token, span: Span) -> nodes.Money:
        return nodes.Money(span, Decimal(token[1:].replace("_", "")))

    def rate(self, token: Token, span: Span) -> nodes.Rate:
        amount, unit = token.split("/")
        return nodes.Rate(span, int(amount.replace("_", "")), _PER[unit])

    def string(self, token: Token, span: Span) -> nodes.Text:
        wrong = _wrong_escape(token) if "\\" in token else None
        if wrong is not None:
            at = span.start + wrong.start()
            self.said.append(problems.bad_escape(Span(self.source, at, span.start + wrong.end())))
            return nodes.Text(span, token[1:-1], (span.start + 1,))
        return nodes.Text(span, json.loads(token, strict=False), (span.start + 1,))

    def text(self, token: Token, span: Span) -> nodes.Text:
        """A raw block: the indentation of the closing delimiter is taken from each line, and neither the line of the
        opening delimiter nor the line end before the closing one belongs to the text."""
        at = span.start + 3
        lines: list[tuple[int, str]] = []
        for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", token[3:-3]):
            lines.append((at, line.rstrip("\r\n")))
            at += len(line)
        if len(lines) > 1 and not lines[0][1].strip(" \t"):
            del lines[0]
        margin = 0
        if len(lines) > 1 and not lines[-1][1].strip(" \t"):
            margin = len(lines.pop()[1])
        cut = [min(margin, len(line) - len(line.lstrip(" \t"))) for _, line in lines]
        shown = [line[n:] for n, (_, line) in zip(cut, lines, strict=True)]
        return nodes.Text(span, "\n".join(shown), tuple(start + n for n, (start, _) in zip(cut, lines, strict=True)))

    def boolean(self, token: Token, span: Span) -> nodes.Bool:
        return nodes.Bool(span, token == "true")


def _wrong_escape(token: str) -> re.Match[str] | None:
    """The first escape that JSON does not know, or that is half of a character."""
    high: re.Match[str] | None = None  # the first half of a pair, waiting for the second
    for escape in _ESCAPE.finditer(token):
        written = escape.group()
        code = int(written[2:], 16) if len(written) == 6 else 0
        second = 0xDC00 <= code <= 0xDFFF
        if high is not None and not (second and high.end() == escape.start()):
            return high
        if (second and high is None) or len(written) == 1 or (len(written) == 2 and written[1] not in '"\\/bfnrt'):
            return escape
        high = escape if 0xD800 <= code <= 0xDBFF else None
    return high


_LITERALS: dict[str, Callable[[_Builder, Any, Span], nodes.Literal]] = {
    "int": _Builder.number,
    "float": _Builder.number,
    "duration": _Builder.duration,
    "money": _Builder.money,
    "rate": _Builder.rate,
    "string": _Builder.string,
    "text": _Builder.text,
    "boolean": _Builder.boolean,
}


def _import(part: _Part) -> nodes.Import:
    return nodes.Import(part.span, part.text(part.words[1]))


def _declared(make: Callable[..., Any]) -> Callable[[_Part], Any]:
    """kind NAME = value { settings }"""
    return lambda part: make(part.span, part.take(), part.take(), part.take())


def _target(part: _Part) -> nodes.Target:
    return nodes.Target(part.span, part.named("alias"), part.take(), part.named("times"))


def _propose(part: _Part) -> nodes.Propose:
    settings = part.take_last(nodes.Object)
    return nodes.Propose(part.span, tuple(part.rest), part.named("as"), part.named("sees"), settings)


def _layer(part: _Part) -> nodes.Layer:
    return nodes.Layer(part.span, part.take(), part.named("repeat"), part.named("when"), tuple(part.rest))


def _stop(part: _Part) -> nodes.Stop:
    return nodes.Stop(part.span, any(word.type == "PIPELINE" for word in part.words), part.take())


def _path(part: _Part) -> nodes.Path:
    return nodes.Path(part.span, tuple(_BETWEEN.sub("", part.span.text).split(".")))


def _key(part: _Part) -> nodes.Name:
    word = part.words[0] if part.words else None
    return nodes.Name(part.span, part.text(word).value if word is not None else part.span.text)


def _comparison(part: _Part) -> nodes.Comparison:
    operator = next(word for word in part.words if word.type == "OPERATOR")
    return nodes.Comparison(part.span, part.take(), str(operator), part.take())


def _test(part: _Part) -> nodes.Test:
    return nodes.Test(part.span, part.text(part.words[1]), part.take(), tuple(part.rest))


def _who(part: _Part) -> tuple[str, ...]:
    return part.rest[0].parts if part.rest else (str(part.words[0]),)


def _error(part: _Part) -> nodes.Error:
    word = part.words[-1]
    return nodes.Error(part.span, int(word) if word.type == "INT" else str(word))


_RULES: dict[str, Callable[[_Part], Any]] = {
    "import": _import,
    "param": lambda part: nodes.Param(part.span, part.take(), part.take(), part.named("choices")),
    "provider": _declared(nodes.Provider),
    "model": _declared(nodes.Model),
    "role": lambda part: nodes.Role(part.span, part.take(), part.take()),
    "roles": _declared(nodes.Roles),
    "template": lambda part: nodes.Template(part.span, part.take(), part.take()),
    "pipeline": lambda part: nodes.Pipeline(part.span, part.take(), tuple(part.rest)),
    "answer": lambda part: nodes.Answer(part.span, part.take()),
    "budget": lambda part: nodes.Budget(part.span, part.take()),
    "layer": _layer,
    "aggregate": lambda part: nodes.Aggregate(part.span, part.take(), part.take()),
    "propose": _propose,
    "target": _target,
    "activate": lambda part: nodes.Activate(part.span, part.take(), part.take()),
    "quorum": lambda part: nodes.Quorum(part.span, part.take(), part.named("after")),
    "judge": lambda part: nodes.Judge(part.span, part.take(), part.named("keep"), part.take()),
    "stop": _stop,
    "or": lambda part: nodes.Or(part.span, tuple(part.rest)),
    "and": lambda part: nodes.And(part.span, tuple(part.rest)),
    "not": lambda part: nodes.Not(part.span, part.take()),
    "comparison": _comparison,
    "path": _path,
    "test": _test,
    "prompt": lambda part: nodes.Prompt(part.span, part.take()),
    "input": lambda part: nodes.Input(part.span, part.take()),
    "reply": lambda part: nodes.Reply(part.span, part.take(), part.named("after"), part.take()),
    "expect": lambda part: nodes.Expect(part.span, part.take()),
    "who": _who,
    "error": _error,
    "ref": lambda part: nodes.Ref(part.span, part.rest[0].text),
    "call": lambda part: nodes.Call(part.span, part.take(), tuple(part.rest)),
    "list": lambda part: nodes.List(part.span, tuple(part.rest)),
    "object": lambda part: nodes.Object(part.span, tuple(part.rest)),
    "setting": lambda part: nodes.Setting(part.span, part.take(), part.take()),
    "key": _key,
    "word": lambda part: nodes.Name(part.span, part.span.text),
}
