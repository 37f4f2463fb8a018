"""Alarm, to end what a task waits for when its time is up, for less than `asyncio.timeout` takes."""

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Protocol

_SLACK_S = 0.001  # loops round their timers to milliseconds


class Alarm:
    """`with Alarm(clock):` raises `TimeoutError` when the body still waits as the clock rings. What is cancelled from
    elsewhere stays cancelled. To ask which event loop runs takes longer than all the rest: who knows it may say so."""

    __slots__ = ("_before", "_clock", "_loop", "_rang", "_task")

    def __init__(self, clock: "Rings", loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop() if loop is None else loop
        self._rang = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None, "an alarm is set in a task"
        self._task = task
        self._before = task.cancelling()
        self._clock.add(self, self._loop)

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


class Rings(Protocol):
    """What rings alarms."""

    def add(self, alarm: Alarm, loop: asyncio.AbstractEventLoop) -> None:
        """Ring this alarm when it is time."""
        ...

    def leave(self, alarm: Alarm) -> None:
        """It need not ring any more."""
        ...


class Clock:
    """One timer for all alarms of the same time of the event loop. It runs from the first of them on, until it is
    stopped."""

    __slots__ = ("_alarms", "_at", "_timer")

    def __init__(self, at: float) -> None:
        self._at = at
        self._alarms: set[Alarm] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, alarm: Alarm, loop: asyncio.AbstractEventLoop) -> None:
        self._alarms.add(alarm)
        if self._timer is None:
            self._timer = loop.call_at(self._at, self._ring)

    def leave(self, alarm: Alarm) -> None:
        self._alarms.discard(alarm)

    def stop(self) -> None:
        """No alarm is set any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        for alarm in tuple(self._alarms):
            alarm.ring()


class Countdown:
    """One timer for all alarms that ring so many seconds after they were set. It runs as long as one of them is set,
    for that which was set first."""

    __slots__ = ("_after_s", "_alarms", "_timer")

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._alarms: OrderedDict[Alarm, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, alarm: Alarm, loop: asyncio.AbstractEventLoop) -> None:
        self._alarms[alarm] = at = loop.time() + self._after_s
        if self._timer is None:
            self._timer = loop.call_at(at, self._ring, loop)

    def leave(self, alarm: Alarm) -> None:
        self._alarms.pop(alarm, None)
        if not self._alarms and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        until = loop.time() + _SLACK_S
        while self._alarms:
            alarm, at = next(iter(self._alarms.items()))
            if at > until:
                self._timer = loop.call_at(at, self._ring, loop)
                return
            del self._alarms[alarm]
            alarm.ring()
