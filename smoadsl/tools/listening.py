"""Listening, to stop a batch as its user asks: once all rows under way have ended, or at once."""

import asyncio
import signal
from contextlib import suppress

from smoadsl.scale.sitting import Drained
from smoadsl.tools.progress import Bar

INTERRUPTED = "it was interrupted"


def listen(batch: Drained, bar: Bar) -> None:
    """Ctrl-C lets the rows under way end; a second one, or being told to terminate, stops at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked = 0

    def interrupted() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            task.cancel()
            return
        bar.say("stopping once the rows under way have ended; Ctrl-C again stops at once")
        batch.drain(INTERRUPTED)

    with suppress(NotImplementedError):  # Windows has no such signals, and stops at once
        loop.add_signal_handler(signal.SIGINT, interrupted)
        loop.add_signal_handler(signal.SIGTERM, task.cancel)


def listen_no_more() -> None:
    """What follows can be broken off at any moment, and done again."""
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
