"""Named, to find the pipeline that a command line names: `[REV:]FILE.moa[:NAME]`, from the disk or a git revision."""

import os
from contextlib import suppress
from dataclasses import field

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.render.text import printable
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.language.load import Reader
from smoadsl.language.lock import BadLock, Entry, entries_in
from smoadsl.plan.compile import Options, compile
from smoadsl.plan.diff import Reviewed
from smoadsl.tools.options import file_and_pipeline
from smoadsl.tools.reader import read_source, reader_for
from smoadsl.tools.revision import Revision


@dataclass(frozen=True, slots=True)
class Named:
    """A file, the revision that it is to be read at (None: as it lies on the disk), and a pipeline in it."""

    revision: str | None
    file: str
    pipeline: str | None

    @property
    def shown(self) -> str:
        return self.file if self.revision is None else f"{self.revision}:{self.file}"


def named(argument: str) -> Named:
    """What an argument names. A file that is there under the whole of it is meant before a revision is."""
    file, pipeline = file_and_pipeline(argument)
    revision, colon, path = file.partition(":")
    if not colon or not path or os.path.exists(file):
        return Named(None, file, pipeline)
    return Named(revision, path, pipeline)


def compiled(what: Named, given: Given, options: Options | None = None, root: str | None = None) -> Outcome[Reviewed]:
    """The plan of what is named, with the lock entries that it rests on, and all that is to be said about it.

    Raises `OSError` where a file can not be read, `RevisionError` where one can not be at its revision.
    """
    reader: Reader
    if what.revision is None:
        reader = reader_for(what.file, root)
        read = read_source(what.file)
    else:
        revision = Revision(what.revision, what.file)
        read, reader = revision.source(), revision
    if read.value is None:
        return Outcome(None, read.diagnostics)
    listening = _Listening(reader)
    made = compile(read.value, what.pipeline, given, listening, options)
    if made.value is None:
        return Outcome(None, made.diagnostics)
    return Outcome(Reviewed(file=printable(what.shown), plan=made.value, locked=listening.locked), made.diagnostics)


@dataclass
class _Listening:
    """A reader that keeps the entries of the locks that are read through it."""

    reader: Reader
    locked: dict[str, Entry] = field(default_factory=dict)

    def read(self, path: str, beside: Source) -> Source:
        source = self.reader.read(path, beside)
        if source.name.endswith(".lock"):
            with suppress(BadLock):  # which is told where it is read
                self.locked |= entries_in(source.text)
        return source
