"""Alarm, to end what a task waits for when its time is up, for less than `asyncio.timeout` takes."""

import asyncio
from types import TracebackType


class Alarm:
    """`with Alarm(at):` raises `TimeoutError` when the body still waits at that time of the event loop. What is
    cancelled from elsewhere stays cancelled."""

    __slots__ = ("_before", "_clock", "_rang", "_task")

    def __init__(self, at: "float | Clock") -> None:
        self._clock = at if isinstance(at, Clock) else Clock(at)
        self._rang = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "an alarm is set in a task"
        self._task = task
        self._before = task.cancelling()
        self._clock.add(self, task.get_loop())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clock.leave(self)
        if not self._rang:
            return
        left = self._task.uncancel()
        if left <= self._before and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def ring(self) -> None:
        """The time has come."""
        self._rang = True
        self._task.cancel()


class Clock:
    """One timer for all alarms of the same time. It runs as long as one of them is set."""

    __slots__ = ("_alarms", "_at", "_handle")

    def __init__(self, at: float) -> None:
        self._at = at
        self._alarms: set[Alarm] = set()
        self._handle: asyncio.TimerHandle | None = None

    def add(self, alarm: Alarm, loop: asyncio.AbstractEventLoop) -> None:
        """Ring this alarm when it is time."""
        self._alarms.add(alarm)
        if self._handle is None:
            self._handle = loop.call_at(self._at, self._ring)

    def leave(self, alarm: Alarm) -> None:
        """It need not ring any more."""
        self._alarms.discard(alarm)
        if not self._alarms and self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        for alarm in tuple(self._alarms):
            alarm.ring()
