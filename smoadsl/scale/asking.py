"""Asking, to put one row to a pipeline: what it asks first, and each of its turns once the one before is answered."""

import asyncio
from random import Random

from smoadsl.adapters.base import Fault, Message
from smoadsl.calls.cache import Kept
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.plan.plan import Plan
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import Answer, RunError, execute
from smoadsl.scale.hearing import Hearing
from smoadsl.scale.rows import Data, Row


class Asking:
    """Puts rows of one data set to one plan, through one session."""

    def __init__(self, plan: Plan, data: Data, session: Session, seed: int) -> None:
        self._plan = plan
        self._data = data
        self._session = session
        self._seed = seed
        self._random = Random(seed)

    async def ask(self, row: Row, kept: Kept, hearing: Hearing) -> tuple[list[Answer], str]:
        """The answers to all turns of a row, or why it has none. `hearing` is told what happens, `kept` is asked for
        each call before it is made."""
        answers: list[Answer] = []
        try:
            conversation, following = self._data.turns(row)
            answers.append(await self._answer(conversation, kept, hearing))
            for turn in following:
                conversation = _going_on(conversation, answers[-1].text, turn)
                answers.append(await self._answer(conversation, kept, hearing))
        except (RunError, ValueError) as failed:
            return [], str(failed)
        return answers, ""

    def closed(self, hearing: Hearing) -> Fault | None:
        """For what a provider is closed to us that the row met: once somebody has mended it, the row can have more."""
        return next((fault for fault in self._session.closed() if hearing.met(fault)), None)

    def is_paused(self, hearing: Hearing) -> bool:
        """Whether the row met a provider that wants to be left alone: with time, it can have more."""
        return any(hearing.met(fault) for fault, _ in self._paused())

    def pause_s(self) -> float:
        """How long to leave alone who wants to be left alone; 0 where nobody does."""
        return max((pause_s for _, pause_s in self._paused()), default=0.0)

    def _paused(self) -> list[tuple[Fault, float]]:
        return self._session.paused(asyncio.get_running_loop().time())

    async def _answer(self, conversation: Conversation, kept: Kept, hearing: Hearing) -> Answer:
        caller = Caller(self._session, self._random, kept)
        return await execute(self._plan, conversation, caller, hearing.hear, self._seed)


def _going_on(conversation: Conversation, answer: str, turn: str) -> Conversation:
    messages = (*conversation.messages, Message("assistant", answer), Message("user", turn))
    return Conversation(messages, conversation.input)
