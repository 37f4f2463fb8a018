"""Revision, to read files as they were at a git revision: objects alone, and nothing that a checkout could have run.

Only `git cat-file` is called, never with a filter or a textconv: no configuration but the repository's own is read, and
what in that names a program (hooks, pagers, monitors, remotes to fetch from) is overruled or not allowed.
"""

import os
import posixpath
import shutil
import subprocess
from pathlib import Path

from smoadsl.diagnostics.diagnostic import Outcome
from smoadsl.diagnostics.source import Source
from smoadsl.language.load import Absent, Refused
from smoadsl.tools.reader import MOST_BYTES, decoded, refuse_unless_relative, too_large

_TIMEOUT_S = 60.0
_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.sshCommand": "false",
    "core.askPass": "false",
    "core.alternateRefsCommand": "false",
    "credential.helper": "",
    "protocol.allow": "never",
    "safe.bareRepository": "explicit",
}
_INHERITED = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")


class RevisionError(Exception):
    """A revision, or a file at one, that can not be read; the message is one sentence."""


class Revision:
    """The files of one commit, as a `Reader`. A source is called `REV:PATH`, its path from the repository's root."""

    def __init__(self, name: str, file: str) -> None:
        """The revision of the repository that `file` lies in, or would lie in. Raises `RevisionError`."""
        folder = Path(file).parent.resolve()
        root = next((above for above in (folder, *folder.parents) if (above / ".git").exists()), None)
        if root is None:
            raise RevisionError(f"{file} lies in no git repository, so there is no revision {name} of it")
        self.name = name
        self._root = root
        self._path = (folder / Path(file).name).relative_to(root).as_posix()
        kind, _, commit = self._about(f"{name}^{{commit}}")
        if kind != "commit":
            raise RevisionError(
                f"{name} names no commit of the repository in {root}: is it fetched? "
                "(`git fetch origin main`; in CI a checkout often holds the newest commit alone)"
            )
        self._commit = commit

    def source(self) -> Outcome[Source]:
        """The file itself. Raises `RevisionError` when there was none."""
        try:
            return self._read(self._path)
        except Refused as why:
            raise RevisionError(f"{self._path} {why} at {self.name}") from None

    def read(self, path: str, beside: Source) -> Source:
        """The file at a path relative to another's, nothing outside the repository. Raises `Refused`."""
        refuse_unless_relative(path)
        folder = posixpath.dirname(beside.name.removeprefix(f"{self.name}:"))
        found = posixpath.normpath(posixpath.join(folder, path))
        if found == ".." or found.startswith("../"):
            raise Refused(f"lies outside the project's root, {self._root.name}/")
        read = self._read(found)
        if read.value is None:
            raise Refused("can not be read: " + "; ".join(d.message for d in read.diagnostics))
        return read.value

    def _read(self, path: str) -> Outcome[Source]:
        """The blob at a path of the commit; links are followed within it alone. Raises `Refused`."""
        name = f"{self.name}:{path if '/' in path else f'./{path}'}"
        kind, size, _ = self._about(f"{self._commit}:{path}")
        if kind == "tree":
            raise Refused("is a folder")
        if kind == "missing":
            raise Absent("does not exist")
        if kind != "blob":
            raise Refused("leads to no file of the repository")
        if size > MOST_BYTES:
            return too_large(name, size)
        raw = self._git("--batch", f"{self._commit}:{path}")
        content = raw.partition(b"\n")[2]
        return decoded(name, content[:size])

    def _about(self, thing: str) -> tuple[str, int, str]:
        """The kind of an object, its size and its id; of what is no object the kind says why."""
        if "\n" in thing or "\x00" in thing:
            return "missing", 0, ""
        said = self._git("--batch-check=%(objecttype) %(objectsize) %(objectname)", thing)
        words = said.decode("utf-8", "replace").split("\n")[0].rsplit(" ", 2)
        if len(words) == 3 and words[0] in ("blob", "tree", "commit", "tag") and words[1].isdecimal():
            return words[0], int(words[1]), words[2]
        first = said.split(b" ", 1)[0]
        return first.decode() if first in (b"dangling", b"loop", b"notdir", b"symlink") else "missing", 0, ""

    def _git(self, option: str, thing: str) -> bytes:
        """What `git cat-file` says of one object. Raises `RevisionError`."""
        git = shutil.which("git")
        if git is None:
            raise RevisionError(f"to read the revision {self.name} `git` is needed, and it is not installed")
        settings = {**_SETTINGS, "safe.directory": str(self._root)}
        overruled = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        try:
            done = subprocess.run(
                [git, "--no-pager", *overruled, "cat-file", option, "--follow-symlinks"],
                input=os.fsencode(thing) + b"\n",
                capture_output=True,
                cwd=self._root,
                env=_environment(self._root),
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RevisionError(f"`git cat-file` could not read {self.name}: {error}") from None
        if done.returncode:
            why = done.stderr.decode("utf-8", "replace").strip().split("\n")[0].removeprefix("fatal: ")
            raise RevisionError(f"`git cat-file` could not read {self.name}: {why}")
        return done.stdout


def _environment(root: Path) -> dict[str, str]:
    """Nothing of git's own from outside: not the user's configuration, not another repository, not the network."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(root.parent),
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
