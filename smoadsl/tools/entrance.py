"""Entrance, to begin and end the process of a command: with streams that can not fail it, and quietly on Ctrl-C.

Little is imported here, so that Ctrl-C ends it quietly also while a command is still being loaded.
"""

import gc
import io
import os
import signal
import sys
from contextlib import suppress
from errno import EPIPE
from typing import Any, TextIO

_READER_GONE, _FAILED, _INTERRUPTED = 1, 3, 130  # as `options.Exit` has them, which is loaded later
_WRONG_WAY = (os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)  # so that a stream which was closed fails when it is used


def entry() -> None:
    """The command. What can not be shown ends nothing: what was paid for is kept, and it is told at the end.

    Nothing that a start makes is garbage before the end, nor is it worth looking for then: that took a fifth of the
    CPU time of a short run. So it is not looked for while a command is loaded, and what has been loaded is left out."""
    gc.disable()
    gc.set_threshold(50_000, 20, 20)
    try:
        stand_streams()
        from smoadsl.tools.cli import main

        main()
    except (KeyboardInterrupt, RuntimeError) as end:
        if isinstance(end, KeyboardInterrupt) or isinstance(end.__cause__, KeyboardInterrupt):
            sys.exit(_INTERRUPTED)  # Python makes the other of what is raised while a class is made
        raise
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as under nohup
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to tidy up
        gc.freeze()
        _tell_what_was_not_shown()


def stand_streams() -> None:
    """Have all three standard streams open, and none raise where it can not be written to."""
    for number, way in enumerate(_WRONG_WAY):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # takes the lowest number that is free, so no other file gets it
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = _steady(sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False))
    sys.stderr = _steady(sys.stderr or os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False))


def fault_of(stream: TextIO) -> OSError | None:
    """Why not all could be written to a standard stream; None where it could, as far as it was tried."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw.fault if isinstance(raw, _Steady) else None


class _Steady(io.RawIOBase):
    """Writes where a stream wrote. `fault` is the first that it met; what comes after it is tried too."""

    def __init__(self, stream: Any) -> None:
        self.fault: OSError | None = None
        self._stream = stream  # which would close what is below it
        self._raw = getattr(stream.buffer, "raw", stream.buffer)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any, /) -> int:
        rest = memoryview(data)
        try:
            while rest:
                written = self._raw.write(rest)
                if written is None:
                    raise BlockingIOError("it takes no more now")
                rest = rest[written:]
        except OSError as error:
            self.fault = self.fault or error
        return len(data)


def _steady(stream: Any) -> TextIO:
    with suppress(OSError):
        stream.flush()
    raw = _Steady(stream)
    buffer: Any = raw if stream.write_through else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer,
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _tell_what_was_not_shown() -> None:
    """End otherwise than was meant where standard output has not taken all: that its reader has gone needs no word."""
    with suppress(ValueError):  # closed by a library
        sys.stdout.flush()
    fault = fault_of(sys.stdout)
    if fault is None:
        return
    if fault.errno != EPIPE:
        sys.stderr.write(f"error: standard output: {fault.strerror or fault}: not all of it could be written\n")
    sys.exit(_READER_GONE if fault.errno == EPIPE else _FAILED)
