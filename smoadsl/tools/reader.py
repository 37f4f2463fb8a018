"""Reader, to take files from the disk as sources: only plain files, and none from outside the project's root."""

import errno
import os
import stat
from pathlib import Path

from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import problems
from smoadsl.language.load import Refused
from smoadsl.language.parse import MOST_CHARACTERS

_MOST_BYTES = 4 * MOST_CHARACTERS


def read_source(path: str | Path) -> Outcome[Source]:
    """The file as a source, a byte order mark taken off. Raises `OSError` when there is no such file to read.

    A link that a repository holds is not followed out of it: whoever proposes a change to the repository would choose
    what is read, and shown, of the machine that checks it.
    """
    name = str(path)
    _stay_in_repository(path)
    raw = _bytes(Path(path))
    if len(raw) > _MOST_BYTES:
        source = Source(name, "")
        return Outcome(None, (problems.too_large(Span(source, 0, 0), os.path.getsize(path), MOST_CHARACTERS),))
    try:
        return Outcome(Source(name, raw.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        source = Source(name, before)
        at = max(0, len(before) - 1)
        return Outcome(None, (problems.not_utf8(Span(source, at, at + 1), error.start),))


def _bytes(path: Path) -> bytes:
    """The content of a plain file, up to the limit and a byte more. A FIFO or device is refused, not waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no plain file")
        return file.read(_MOST_BYTES + 1)


def _stay_in_repository(path: str | Path) -> None:
    given, real = Path(os.path.abspath(path)), os.path.realpath(path)
    if str(given) == real:
        return
    repository = next((folder for folder in given.parents if (folder / ".git").exists()), None)
    if repository is not None and not Path(real).is_relative_to(os.path.realpath(repository)):
        raise OSError(errno.EPERM, "a link that leads out of its repository")


def root_of(path: str | Path) -> Path:
    """The nearest folder above a file that has a `.git`, else the file's own."""
    folder = Path(path).resolve().parent
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)


class DiskReader:
    """Reads what files name, relative to themselves, and nothing outside `root`, also not through links."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, path: str, beside: Source) -> Source:
        """The file as a source; its name is shown relative to where `beside` was found. Raises `Refused`."""
        if not path or "\x00" in path or os.path.isabs(path) or path.startswith("~") or "\\" in path or ":" in path:
            raise Refused("is no path relative to the file it stands in")
        name = os.path.normpath(os.path.join(os.path.dirname(beside.name), path))
        real = Path(os.path.realpath(name))
        if not real.is_relative_to(self._root):
            raise Refused(f"lies outside the project's root, {self._root.name}/")
        try:
            read = read_source(real)
        except FileNotFoundError:
            raise Refused("does not exist") from None
        except IsADirectoryError:
            raise Refused("is a folder") from None
        except OSError as error:
            raise Refused(f"can not be read: {error.strerror or error}") from None
        if read.value is None:
            raise Refused("can not be read: " + "; ".join(d.message for d in read.diagnostics))
        return Source(name, read.value.text)
