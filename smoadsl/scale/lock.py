"""Lock, to let one process at a time work in a folder. The system takes it back from a process that died."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none: there, SQLite alone keeps two writers apart
    fcntl = None  # type: ignore[assignment]


class Lock:
    """Taken when made, if it is free. Raises `OSError` when the file can not be made."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        self.taken = True
        if fcntl is not None:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._handle)
                self.taken = False

    def release(self) -> None:
        os.close(self._handle)
