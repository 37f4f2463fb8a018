"""Sharing, to have agents that are asked the same take the answers of one call."""

import asyncio
from collections.abc import Awaitable, Callable

from smoadsl.adapters.base import Fault, FaultKind

Group = tuple[str, ...]  # agents, in the order in which they take the answers


class Shared:
    """The calls of one pipeline that several agents share."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int, Group], asyncio.Future[tuple[str, ...]]] = {}

    async def answer(
        self, layer: str, round_: int, group: Group, name: str, ask: Callable[[], Awaitable[tuple[str, ...]]]
    ) -> str:
        """The agent's answer: whoever comes first asks for all. Raises the `Fault` of the call for each of them.

        Who is not waited for any longer ends the call for the others too: a round without a quorum needs them all."""
        key = layer, round_, group
        if key not in self._calls:
            self._calls[key] = asyncio.ensure_future(ask())
        answers = await self._calls[key]
        place = group.index(name)
        if place >= len(answers):
            raise Fault(FaultKind.EMPTY, f"{len(group)} answers were asked for, and {len(answers)} came")
        return answers[place]


def known_as(group: Group) -> str:
    """The agents of a call in the language's words: `qwen * 6`, or their names."""
    names = {name.partition(".")[0] for name in group}
    return f"{names.pop()} * {len(group)}" if len(names) == 1 else ", ".join(group)
