"""Cassette, to record what any adapter answers, and to play it again without key, server or network.

A cassette is a folder with one tape for each request, named by the SHA-256 of what was asked, so that it can be looked
through, compared and committed. Of several answers to one request the first goes to who asks first. What is not there
is an error: nothing is ever asked for live in a replay. Where nobody waited for an answer any longer, a replay is as
silent, until nobody waits for it either.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.scripted import words
from smoadsl.adapters.tape import Damaged, Taped, TapedSilence, digest, read_tape, taped, told, untaped, write_tape
from smoadsl.adapters.words import one_line

_SHOWN = 60  # characters of a request that are quoted

Opener = Callable[[str, Connection], Adapter]


def recording(folder: Path, opener: Opener) -> Opener:
    """An opener whose adapters write down in `folder` what the ones of `opener` answer."""
    return lambda kind, connection: Recording(opener(kind, connection), connection, folder)


def replaying(folder: Path, on_missing: Callable[[str], None] = lambda _: None, paced: bool = False) -> Opener:
    """An opener whose adapters answer from `folder` alone, whatever their kind. `on_missing` is told, in a sentence, of
    each request that could not be answered: the run itself may get over it. `paced`: each answer takes as long as it
    took, so that what waited for what comes in the same order again; made for a clock that jumps."""
    return lambda _kind, connection: Replaying(connection, folder, on_missing, paced)


class Recording:
    """Asks `inner`, and writes down its replies and faults. A request's old answers give way to the new ones."""

    def __init__(self, inner: Adapter, connection: Connection, folder: Path) -> None:
        self._inner = inner
        self._connection = connection
        self._folder = folder
        self._answers: dict[str, list[Taped | None]] = {}

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt, and write down what it came to."""
        asked = told(self._connection, request)
        name = digest(asked)
        answers = self._answers.setdefault(name, [])
        place = len(answers)
        answers.append(None)  # held for this attempt, as others that began later may end before it
        clock = asyncio.get_running_loop().time
        begun = clock()
        texts: list[float] = []  # when the first text came

        def hear(text: str) -> None:
            if text and not texts:
                texts.append(math.floor(1000 * (clock() - begun)) / 1000)  # never later than it was
            if on_text is not None:
                on_text(text)

        answer: Reply | Fault
        try:
            answer = await self._inner.complete(request, hear if on_text is not None else None)
        except Fault as fault:
            answer = fault
        except asyncio.CancelledError:
            answers[place] = TapedSilence(text_after_s=next(iter(texts), None))
            with suppress(OSError):
                self._write(name, asked)
            raise
        if not (isinstance(answer, Fault) and answer.kind is FaultKind.LOCAL):
            answers[place] = replace(
                taped(answer, self._connection),
                took_s=round(clock() - begun, 3),
                text_after_s=next(iter(texts), None),
            )
            try:
                self._write(name, asked)
            except OSError as error:
                why = error.strerror or type(error).__name__
                raise _local(f"the cassette in {self._folder} can not be written: {why}") from None
        if isinstance(answer, Fault):
            raise answer
        return answer

    def _write(self, name: str, asked: dict[str, Any]) -> None:
        whole = [one for one in self._answers[name] if one is not None]
        write_tape(self._folder / f"{name}.json", asked, whole)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Replaying:
    """Answers as the cassette in `folder` holds it."""

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        on_missing: Callable[[str], None] = lambda _: None,
        paced: bool = False,
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._on_missing = on_missing
        self._paced = paced
        self._asked: Counter[str] = Counter()

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """The next answer to that request, in words where it is streamed."""
        try:
            taped_answer = self._next(request)
        except Fault as missing:
            self._on_missing(missing.message)
            raise
        answer = None if isinstance(taped_answer, TapedSilence) else untaped(taped_answer)
        pieces = words(answer.text) if isinstance(answer, Reply) else ["…"]  # nobody knows any more what else was shown
        text_after_s = taped_answer.text_after_s
        waited_s = 0.0
        if self._paced and on_text is not None and text_after_s is not None:
            waited_s = text_after_s
            await asyncio.sleep(waited_s)
            on_text(pieces.pop(0))
        if isinstance(taped_answer, TapedSilence):
            never: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            return await never  # until nobody waits for it any longer
        if self._paced:
            await asyncio.sleep(max(0.0, taped_answer.took_s - waited_s))
        if not isinstance(answer, Reply):
            assert answer is not None
            raise answer
        if on_text is not None:
            for piece in pieces:
                on_text(piece)
        return answer

    def _next(self, request: Request) -> Taped:
        asked = told(self._connection, request)
        name = digest(asked)
        place = self._asked[name]
        self._asked[name] += 1
        path = self._folder / f"{name}.json"
        try:
            answers = read_tape(path, asked)
        except FileNotFoundError:
            what = f"a request to {self._connection.provider}/{request.model} ({name[:12]}…)"
            end = f', which ends with "{_end(request)}"' if request.messages else ""
            raise _local(f"the cassette in {self._folder} does not hold {what}{end}: record it anew") from None
        except Damaged as why:
            raise _local(f"{path} can not be used, {why}: record it anew") from None
        except OSError as error:
            raise _local(f"{path} can not be read: {error.strerror or type(error).__name__}") from None
        if place >= len(answers):
            raise _local(f"{path} holds {len(answers)} answers, and this is request number {place + 1}: record it anew")
        return answers[place]

    async def aclose(self) -> None:
        """There is nothing to give back."""


def _end(request: Request) -> str:
    """The last words of what was asked, so that a person knows it again."""
    text = one_line(request.messages[-1].content[-_SHOWN:])
    return f"…{text}" if len(request.messages[-1].content) > _SHOWN else text


def _local(message: str) -> Fault:
    return Fault(FaultKind.LOCAL, message)
