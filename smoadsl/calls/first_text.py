"""First text, to know when the first of an answer's text came, and to end an attempt that shows none for too long."""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext

from smoadsl.adapters.base import OnText
from smoadsl.adapters.words import Keyless

_NO_LIMIT = nullcontext()


class FirstText:
    """Of one attempt: `within_s` is how long the first of its text may take, `on_text` where what comes goes on to.

    `after_s` is how long it took, None where none came or the answer was not streamed. What a model thinks before it
    answers is no text of its answer."""

    def __init__(self, within_s: float | None, on_text: OnText | None) -> None:
        self.within_s = within_s
        self.after_s: float | None = None
        self._on_text = on_text
        self._reader: Keyless | None = None
        self._begun = 0.0
        self._limit: asyncio.Timeout | None = None

    def limit(self, secrets: Iterable[str]) -> AbstractAsyncContextManager[object]:
        """What ends the attempt; the time runs from now on. The secrets go to no reader."""
        self._reader = Keyless(secrets, self._on_text) if self._on_text else None
        self._begun = asyncio.get_running_loop().time()
        if self.within_s is None:
            return _NO_LIMIT
        self._limit = asyncio.timeout(self.within_s)
        return self._limit

    @property
    def is_late(self) -> bool:
        """Whether the attempt was ended for it."""
        return self._limit is not None and self._limit.expired()

    @property
    def hear(self) -> OnText | None:
        """What an adapter is to hand pieces to: an answer is streamed where a reader or the limit wants it."""
        return None if self.within_s is None and self._on_text is None else self._heard

    def _heard(self, text: str) -> None:
        if self.is_late:
            return  # a reader who saw it could not be given another answer
        if text and self.after_s is None:
            self.after_s = asyncio.get_running_loop().time() - self._begun
            if self._limit is not None:
                self._limit.reschedule(None)
        if self._reader is not None:
            self._reader.feed(text)

    def end(self) -> None:
        """The answer is whole."""
        if self._reader is not None and not self.is_late:
            self._reader.end()
