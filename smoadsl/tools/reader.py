"""Reader, to take files from the disk as sources: only plain files, and none from outside the project's root."""

import errno
import os
import stat
from codecs import BOM_UTF8
from pathlib import Path

from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import problems
from smoadsl.language.load import Absent, Refused
from smoadsl.language.parse import MOST_CHARACTERS

MOST_BYTES = 4 * MOST_CHARACTERS
_OUTSIDE = "move it into the project, or name a folder that holds both with `--root FOLDER`"


def read_source(path: str | Path) -> Outcome[Source]:
    """The file as a source, a byte order mark taken off. Raises `OSError` when there is no such file to read.

    A link that a repository holds is not followed out of it: whoever proposes a change to the repository would choose
    what is read, and shown, of the machine that checks it.
    """
    _stay_in_repository(path)
    try:
        raw = _bytes(Path(path))
    except IsADirectoryError:
        raise IsADirectoryError(errno.EISDIR, "a folder; name the files in it, such as *.moa") from None
    if len(raw) > MOST_BYTES:
        return too_large(str(path), os.path.getsize(path))
    return decoded(str(path), raw)


def too_large(name: str, size: int) -> Outcome[Source]:
    return Outcome(None, (problems.too_large(Span(Source(name, ""), 0, 0), size, MOST_CHARACTERS, "bytes"),))


def decoded(name: str, raw: bytes) -> Outcome[Source]:
    """The bytes of a file as a source, a byte order mark taken off."""
    mark = len(BOM_UTF8) if raw.startswith(BOM_UTF8) else 0
    try:
        return Outcome(Source(name, raw[mark:].decode()))
    except UnicodeDecodeError as error:
        at = len(raw[mark : mark + error.start].decode())
        source = Source(name, raw[mark:].decode(errors="replace"))
        return Outcome(None, (problems.not_utf8(Span(source, at, at + 1), mark + error.start),))


def _bytes(path: Path) -> bytes:
    """The content of a plain file, up to the limit and a byte more. A FIFO or device is refused, not waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no plain file")
        return file.read(MOST_BYTES + 1)


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


def refuse_unless_relative(path: str) -> None:
    """Raises `Refused` for what is no path relative to the file it stands in, on whatever system."""
    if not path or "\x00" in path or os.path.isabs(path) or path.startswith("~") or "\\" in path or ":" in path:
        raise Refused("is no path relative to the file it stands in")


def reader_for(path: str | Path, root: str | Path | None = None) -> "DiskReader":
    """The reader of what a file names: within `root`, else within the project that the file belongs to. Raises
    `OSError` for a file that lies outside of the root itself."""
    if root is not None and not Path(os.path.realpath(path)).is_relative_to(Path(root).resolve()):
        raise OSError(f"it lies outside the root, {Path(root).resolve().name}/")
    return DiskReader(Path(root) if root is not None else root_of(path))


class DiskReader:
    """Reads what files name, relative to themselves, and nothing outside `root`, also not through links."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, path: str, beside: Source) -> Source:
        """The file as a source; its name is shown relative to where `beside` was found. Raises `Refused`."""
        refuse_unless_relative(path)
        name = os.path.normpath(os.path.join(os.path.dirname(beside.name), path))
        real = Path(os.path.realpath(name))
        if not real.is_relative_to(self._root):
            raise Refused(f"lies outside the project's root, {self._root.name}/", _OUTSIDE)
        try:
            read = read_source(real)
        except FileNotFoundError:
            raise Absent("does not exist") from None
        except IsADirectoryError:
            raise Refused("is a folder") from None
        except OSError as error:
            raise Refused(f"can not be read: {error.strerror or error}") from None
        if read.value is None:
            raise Refused("can not be read: " + "; ".join(d.message for d in read.diagnostics))
        return Source(name, read.value.text)
