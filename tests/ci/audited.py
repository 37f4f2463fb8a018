"""Audited, to run one command of the command line as a program of its own, and write down all that it does.

    python audited.py RECORD check p.moa …

An audit hook sees each file that is opened, each module, program and socket, and each piece of code that is compiled
or run. What is read of the environment is seen too. The record is JSON, written at the end; exit code and output are
the command's own.
"""

import json
import os
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

record: dict[str, list[Any]] = {"events": [], "opened": [], "code": [], "environ": []}
NOTED = (
    "socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.startfile", "pty.", "os.putenv",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.listdir",
    "os.scandir", "glob.", "shutil.", "tempfile.", "urllib.", "http.", "ftplib.", "webbrowser.", "ctypes.", "pickle.",
    "sqlite3.", "signal.", "syslog.",
)  # fmt: skip


def hook(event: str, given: tuple[Any, ...]) -> None:
    if done:
        return
    if event == "open" and isinstance(given[0], int):
        return  # a file that is open already
    if event == "open":
        record["opened"].append([_name(given[0]), given[1] or _mode(given[2])])
    elif event == "compile":
        record["code"].append([_name(given[1]), _text(given[0])])
    elif event == "exec":
        record["code"].append([given[0].co_filename, " ".join(_words(given[0]))])
    elif event.startswith(NOTED):
        record["events"].append([event, *map(str, given)])


def _mode(flags: int) -> str:
    return "w" if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else "r"


def _name(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes) else str(path)


def _text(source: object) -> str:
    return source.decode("utf-8", "replace") if isinstance(source, bytes) else source if isinstance(source, str) else ""


def _words(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _words(constant)
        elif isinstance(constant, str):
            yield constant


class Watched(type(os.environ)):  # type: ignore[misc]  # the class of the one environment is private
    """An environment that remembers who was asked for; `*` when all were."""

    def __getitem__(self, name: str) -> str:
        record["environ"].append(name)
        return str(super().__getitem__(name))

    def __iter__(self) -> Iterator[str]:
        record["environ"].append("*")
        return iter(super().__iter__())


done: list[bool] = []

if __name__ == "__main__":
    path, *sys.argv[1:] = sys.argv[1:]
    code: object = 0
    os.environ.__class__ = Watched
    sys.addaudithook(hook)
    try:
        from smoadsl.tools.entrance import entry

        entry()
    except SystemExit as end:
        code = end.code
    done.append(True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(record, file)
    sys.stdout.flush()
    os._exit(int(code or 0)) if isinstance(code, int | None) else os._exit(70)
