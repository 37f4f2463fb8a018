"""Walled, to keep a wall standing in a thread of its own while a command is used that has its own event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.adapters.wall import Script, Wall


@contextmanager
def walled(script: Script) -> Iterator[Wall]:
    """The wall, which answers from another thread until the block ends."""
    wall = Wall(script)
    ready = threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def stand() -> None:
        end = asyncio.Event()
        async with wall:
            ends.append((asyncio.get_running_loop(), end))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(stand()))
    thread.start()
    assert ready.wait(10)
    try:
        yield wall
    finally:
        loop, end = ends[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
