"""Loops, to give each client the fastest event loop that there is: uvloop, if it is installed."""

import asyncio
from importlib.util import find_spec


def new_loop() -> asyncio.AbstractEventLoop:
    """A new event loop."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
