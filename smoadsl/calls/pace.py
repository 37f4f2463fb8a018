"""Pace, to let calls begin no faster than a provider allows: one bucket that fills with time."""

import asyncio


class Pace:
    """`per_s` units may be taken each second, and up to a second's worth at once. Time is the event loop's."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s)
        self._left = self._most
        self._at = asyncio.get_running_loop().time()

    async def take(self, amount: float) -> None:
        """Wait for this much in turn; what is more than the bucket holds is waited for afterwards, by the next."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s) - amount
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_s)
