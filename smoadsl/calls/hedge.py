"""Hedge, to ask for a second copy of an answer that is slow to come, and take whichever is good first."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from smoadsl.calls.attempt import HEDGE_LOST, Attempt
from smoadsl.calls.outcomes import Again, Elsewhere, rule_of
from smoadsl.calls.session import is_cancelled

Copy = Coroutine[Any, Any, Attempt]
OnSent = Callable[[], None]


async def race(
    first: Callable[[OnSent], Copy],
    second: Callable[[], Copy | None],
    after_s: float,
    counts: Callable[[Attempt], bool],
    on_lost: Callable[[Attempt], None],
) -> Attempt:
    """The first good end of two copies, or the last fault. The second begins `after_s` after the first was sent, if
    `second` then still gives one. An end that does not count any more, and a fault while the other copy is under way,
    are told to `on_lost`; a copy that is not waited for any longer is cancelled, and is over when this returns."""
    loop = asyncio.get_running_loop()
    due = asyncio.Event()
    timers: list[asyncio.TimerHandle] = []
    tasks = [asyncio.ensure_future(first(lambda: timers.append(loop.call_later(after_s, due.set))))]
    alarm = asyncio.ensure_future(due.wait())
    try:
        await asyncio.wait((tasks[0], alarm), return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done() and (copy := second()) is not None:
            tasks.append(asyncio.ensure_future(copy))
        waiting = set(tasks)
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            ends = [task.result() for task in tasks if task in done]  # in the order of their begin
            for place, end in enumerate(ends):
                is_last = not waiting and place == len(ends) - 1
                if is_last or (counts(end) and (end.fault is None or _is_final(end))):
                    return end
                on_lost(end)
    finally:
        alarm.cancel()
        for timer in timers:
            timer.cancel()
        for task in tasks:
            task.cancel(HEDGE_LOST if not is_cancelled() else None)
        await asyncio.gather(alarm, *tasks, return_exceptions=True)


def _is_final(end: Attempt) -> bool:
    """Whether the same request would fail everywhere, so that the other copy is not worth waiting for."""
    assert end.fault is not None
    rule = rule_of(end.fault, end.by.fallback_on_refusal)
    return end.sent and rule.again is Again.NO and rule.elsewhere is Elsewhere.NO
