"""First text, to know when the first of an answer's text came, and to end an attempt that shows none for too long."""

import asyncio
from collections.abc import Iterable

from smoadsl.adapters.base import Adapter, OnText, Reply, Request
from smoadsl.adapters.words import Keyless


class FirstText:
    """Of one attempt whose answer is streamed: `within_s` is how long the first of its text may take, `on_text` where
    what comes goes on to.

    `after_s` is how long it took, None where none came. What a model thinks before it answers is no text of its
    answer."""

    def __init__(self, within_s: float | None, on_text: OnText | None) -> None:
        self.within_s = within_s
        self.after_s: float | None = None
        self._on_text = on_text
        self._reader: Keyless | None = None
        self._time = asyncio.get_running_loop().time
        self._begun = 0.0
        self._limit: asyncio.Timeout | None = None

    async def complete(self, adapter: Adapter, request: Request, secrets: Iterable[str]) -> Reply:
        """The adapter's answer. The secrets go to no reader. Raises `TimeoutError` when the text is late."""
        self._reader = Keyless(secrets, self._on_text) if self._on_text else None
        self._begun = self._time()
        if self.within_s is None:
            reply = await adapter.complete(request, self._heard)
        else:
            async with asyncio.timeout(self.within_s) as self._limit:
                reply = await adapter.complete(request, self._heard)
        if self._reader is not None and not self.is_late:
            self._reader.end()
        return reply

    @property
    def is_late(self) -> bool:
        """Whether the attempt was ended for it."""
        return self._limit is not None and self._limit.expired()

    def _heard(self, text: str) -> None:
        if self.is_late:
            return  # a reader who saw it could not be given another answer
        if text and self.after_s is None:
            self.after_s = self._time() - self._begun
            if self._limit is not None:
                self._limit.reschedule(None)
        if self._reader is not None:
            self._reader.feed(text)
