"""Sharing, to have agents that are asked the same take the answers of one call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from smoadsl.adapters.base import Fault, FaultKind, Reply
from smoadsl.calls.attempt import Attempt, OnAttempt

Group = tuple[str, ...]  # agents, in the order in which they take the answers


class Shared:
    """The calls of one pipeline that several agents share."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int, Group], asyncio.Future[Reply]] = {}

    async def answer(
        self, layer: str, round_: int, group: Group, name: str, ask: Callable[[], Awaitable[Reply]]
    ) -> str:
        """The agent's answer: whoever comes first asks for all. Raises the `Fault` of the call for each of them, and
        where fewer answers came than were asked for, one for each that has none.

        Who is not waited for any longer ends the call for the others too: a round without a quorum needs them all."""
        key = layer, round_, group
        if key not in self._calls:
            self._calls[key] = asyncio.ensure_future(ask())
        reply = await self._calls[key]
        place, answers = group.index(name), reply.answers
        if place >= len(answers):
            why = f": {reply.faults[-1].message}" if reply.faults else ""
            raise Fault(FaultKind.EMPTY, f"{len(group)} answers were asked for, and {len(answers)} came{why}")
        return answers[place].text


class Numbered:
    """Tells the attempts of several requests of one call as those of one: their numbers go on."""

    def __init__(self, on_attempt: OnAttempt) -> None:
        self._on_attempt = on_attempt
        self._before = self._last = 0

    def __call__(self, attempt: Attempt) -> None:
        number = self._before + attempt.number
        self._last = max(self._last, number)
        self._on_attempt(replace(attempt, number=number))

    def go_on(self) -> None:
        """Another request begins."""
        self._before = self._last


def known_as(group: Group) -> str:
    """The agents of a call in the language's words: `qwen * 6`, or their names."""
    names = {name.partition(".")[0] for name in group}
    return f"{names.pop()} * {len(group)}" if len(names) == 1 else ", ".join(group)
