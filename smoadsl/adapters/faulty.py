"""Faulty, to make any adapter fail in every way there is, by chance that a seed decides."""

import asyncio
from collections import Counter
from random import Random

from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.tape import digest, told
from smoadsl.classes import dataclass

_IN_THE_MIDDLE = frozenset({FaultKind.TRUNCATED, FaultKind.STALLED})
_FREE = frozenset({FaultKind.NOT_SENT, FaultKind.LOCAL, FaultKind.PROTOCOL, FaultKind.STATUS})
_KINDS = tuple(kind for kind in FaultKind if kind.value != "length")  # that one is never an adapter's
_STATUSES = (429, 500, 502, 503, 529)


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often an attempt fails, in which ways, and how long each takes besides.

    `rate` is the share of attempts that fail; of `kinds` each is as likely. A status is one of `statuses`, and comes
    with the hint `retry_after_s` if there is one. Each attempt waits between the two numbers of `delay_s`, a timeout
    and a stall `silence_s` more.
    """

    rate: float = 0.2
    kinds: tuple[FaultKind, ...] = _KINDS
    statuses: tuple[int, ...] = _STATUSES
    retry_after_s: float | None = None
    delay_s: tuple[float, float] = (0.0, 0.0)
    silence_s: float = 0.0


class Faulty:
    """Asks `inner`, or fails in its place. What becomes of an attempt depends on the seed, the request and how often it
    was made before: not on what runs beside it."""

    def __init__(self, inner: Adapter, connection: Connection, seed: int, trouble: Trouble) -> None:
        self._inner = inner
        self._connection = connection
        self._seed = seed
        self._trouble = trouble
        self._made: Counter[str] = Counter()

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make one attempt, or one of the faults."""
        name = digest(told(self._connection, request))
        self._made[name] += 1
        random = Random(f"{self._seed}\x00{name}\x00{self._made[name]}")
        await asyncio.sleep(random.uniform(*self._trouble.delay_s))
        if random.random() >= self._trouble.rate:
            return await self._inner.complete(request, on_text)
        kind = random.choice(self._trouble.kinds)
        if kind in _IN_THE_MIDDLE:
            await self._half(request, on_text, random)
        if kind in (FaultKind.TIMEOUT, FaultKind.STALLED):
            await asyncio.sleep(self._trouble.silence_s)
        status = random.choice(self._trouble.statuses) if kind is FaultKind.STATUS else None
        raise Fault(
            kind,
            f"{self._connection.provider} was made to fail ({kind.value})",
            status=status,
            retry_after_s=self._trouble.retry_after_s if status else None,
            billed=kind not in _FREE,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _half(self, request: Request, on_text: OnText | None, random: Random) -> None:
        """The true answer up to a place somewhere in it, as a cut stream shows it."""
        reply = await self._inner.complete(request)
        if on_text is not None and (half := reply.text[: random.randrange(len(reply.text))]):
            on_text(half)
