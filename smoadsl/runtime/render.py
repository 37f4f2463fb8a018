"""Render, to fill templates in a sandbox: only plain values reach them, and what they write has a limit.

Proposals are data. They are set between markers with a mark that none of them contains, so that no proposal can pose as
another, as the conversation or as an instruction.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError, pass_context
from jinja2.runtime import Context

from smoadsl.runtime.sandbox import MOST_CHARACTERS, Fuel, Refused, compiled


class RenderError(Exception):
    """A template that could not be filled; the message is one sentence for its author."""


def fenced(pieces: Sequence[Mapping[str, Any]], beside: Sequence[str] = ()) -> str:
    """Texts between markers, named by role or agent; a judge's remarks on a text stand behind it, between their own.

    The mark on the markers occurs in none of the texts, nor in those `beside` them in the same message: all its
    markers have the same."""
    names: list[str] = []
    texts: list[str] = []
    for piece in pieces:
        name = str(piece.get("role") or piece.get("agent") or "response")
        names.append(name)
        texts.append(str(piece["content"] if "content" in piece else piece["text"]))
        if piece.get("feedback"):
            names.append(f"remarks on {name}")
            texts.append(str(piece["feedback"]))
    mark = _mark(beside or texts, [*texts, *beside])
    between = [
        f"<<< {name} [{mark}]\n{text}\n>>> end of {name} [{mark}]" for name, text in zip(names, texts, strict=True)
    ]
    return "\n\n".join(between)


def _mark(drawn_from: Sequence[str], absent_in: Sequence[str]) -> str:
    """Drawn from texts, so that it is the same in a replay and no single author can know it beforehand."""
    seed = "\x00".join(drawn_from).encode("utf-8", "surrogatepass")
    everything = "\x00".join(absent_in)
    for attempt in range(1000):
        mark = hashlib.sha256(b"%d\x00%s" % (attempt, seed)).hexdigest()[:10]
        if mark not in everything:
            return mark
    raise RenderError("no mark could be found that the responses do not contain")


@pass_context
def _fenced(context: Context, pieces: Sequence[Mapping[str, Any]]) -> str:
    """As a filter: one who knows the conversation still can not know the mark that it is quoted with.

    Who reads has no part in it, so that agents that are told the same read the same."""
    told = dict(context.get_all())
    told.pop("agent", None)
    texts: list[str] = []
    _gather(told.values(), texts)
    return fenced(pieces, texts)


def _gather(values: Iterable[Any], texts: list[str]) -> None:
    """All the texts that a template is given."""
    for value in values:
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind is dict:
            _gather(value.values(), texts)
        elif kind is list or kind is tuple:
            _gather(value, texts)
        elif isinstance(value, str):  # what a filter made
            texts.append(value)


def render(text: str, name: str, values: Mapping[str, Any]) -> str:
    """The template filled with plain JSON values, without white space at its ends. Raises `RenderError`."""
    pieces: list[str] = []
    size = 0
    try:
        for piece in compiled(text, _FILTERS).generate({**values, "_tick": Fuel().tick}):
            size += len(piece)
            if size > MOST_CHARACTERS:
                raise Refused(f"it writes more than {MOST_CHARACTERS:,} characters")
            pieces.append(piece)
    except _RENDERING as error:
        raise RenderError(f"template {name} can not be filled: {error}") from error
    return "".join(pieces).strip()


_FILTERS = (("fenced", _fenced),)
_RENDERING = (Refused, TemplateError, RecursionError, SyntaxError, ArithmeticError, LookupError, TypeError, ValueError,
              AttributeError)  # fmt: skip
