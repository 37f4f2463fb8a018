"""Alarm, to end what a task waits for when its time is up, for less than `asyncio.timeout` takes."""

import asyncio
from types import TracebackType


class Alarm:
    """`with Alarm(at):` raises `TimeoutError` when the body still waits at that time of the event loop. What is
    cancelled from elsewhere stays cancelled."""

    __slots__ = ("_at", "_before", "_handle", "_rang", "_task")

    def __init__(self, at: float) -> None:
        self._at = at
        self._rang = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "an alarm is set in a task"
        self._task = task
        self._before = task.cancelling()
        self._handle = task.get_loop().call_at(self._at, self._ring)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if not self._rang:
            return
        left = self._task.uncancel()
        if left <= self._before and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def _ring(self) -> None:
        self._rang = True
        self._task.cancel()
