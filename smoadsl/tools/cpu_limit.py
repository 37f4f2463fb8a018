"""Cpu limit, to end what computes for too long: a pattern that backtracks for ever, a rehearsal without an end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 1.0


class TookTooLong(KeyboardInterrupt):
    """Of the kind that leaves an event loop at once, as Ctrl-C does: nothing on the way may keep it."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raises `TookTooLong` where the block is, once it has taken so many seconds of the processor; and again after as
    many more, as what is raised in a finalizer is lost.

    Without effect where the system has no such timer (Windows), and outside of the main thread.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(signal_number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, max(seconds, _AGAIN_S))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
