"""Virtual clock, to let an event loop's time pass at once: who sleeps a minute wakes immediately, a minute later."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Standstill(Exception):
    """Everything waits, and nothing is left that could happen."""


class _Jump(selectors.SelectSelector):
    """Where a loop would wait for its next timer, the clock jumps there. No file or socket is ever waited for."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Standstill("every task waits for another")
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now

    def advance(self, to: float) -> None:
        self._jump.now = max(self._jump.now, to)


def advance(to: float) -> None:
    """Let the running virtual clock show that time at least, as if work had taken so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    loop.advance(to)


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a virtual clock that begins at 0. Raises `Standstill` where a real loop would hang."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
