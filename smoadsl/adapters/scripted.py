"""Scripted, to let a script answer where a model would, for tests and for dry runs."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import assert_never

from smoadsl.adapters.base import Choice, Fault, OnText, Reply, Request
from smoadsl.adapters.usage import Counts, usage_of
from smoadsl.classes import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault that comes after half of an answer was streamed."""

    half: str
    fault: Fault


Answer = Reply | Fault | Broken | str
Script = Callable[[Request], Answer | Awaitable[Answer]]
Cut = Callable[[str], list[str]]


def words(text: str) -> list[str]:
    """`text` in pieces of a word each, with the space before it: what most models stream."""
    return re.findall(r"\s*\S+|\s+$", text)


def several(replies: Sequence[Reply]) -> Reply:
    """The replies as those of one request, whose prompt was read once."""
    first, *others = replies
    output = sum(reply.usage.output_tokens for reply in replies)
    usage = replace(first.usage, output_tokens=output, estimated=any(reply.usage.estimated for reply in replies))
    return replace(first, usage=usage, others=tuple(Choice(reply.text, reply.finish) for reply in others))


class Scripted:
    """Asks `script` for the answer to each request, and keeps the requests it saw.

    The script may be a coroutine function: what it sleeps is the model's time, on whatever clock the loop has. Where a
    response is streamed, `cut` makes the pieces.
    """

    def __init__(self, script: Script, cut: Cut = words) -> None:
        self.requests: list[Request] = []
        self.closed = False
        self._script = script
        self._cut = cut

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Answer as the script says."""
        self.requests.append(request)
        answer = self._script(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str):
            answer = Reply(answer, "stop", usage_of(request, answer.__str__, Counts()), request.model)
        match answer:
            case Reply(text=text):
                self._stream(text, on_text)
                return answer
            case Broken(half=half, fault=fault):
                self._stream(half, on_text)
                raise fault
            case Fault():
                raise answer
        assert_never(answer)

    async def aclose(self) -> None:
        self.closed = True

    def _stream(self, text: str, on_text: OnText | None) -> None:
        if on_text is not None:
            for piece in self._cut(text):
                on_text(piece)
