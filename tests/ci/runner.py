"""Runner, to read a log as the systems that run workflows do, and find what they take for commands.

`commands` reads as the runner of GitHub Actions does (`ActionCommand.cs` in github.com/actions/runner): a line that
begins with `::`, blanks before it left out, or one with `##[` anywhere in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

KNOWN = {
    "error", "warning", "notice", "debug", "group", "endgroup", "set-env", "set-output", "save-state", "add-path",
    "add-mask", "add-matcher", "remove-matcher", "stop-commands", "echo", "internal-set-repo-path",
}  # fmt: skip
_NEW = re.compile(r"::(?P<name>[^ ]*?)(?: (?P<properties>.*?))?::(?P<data>.*)", re.DOTALL)
_OLD = re.compile(r"##\[(?P<name>[^ \]]*)(?: (?P<properties>[^\]]*))?\](?P<data>.*)", re.DOTALL)
_ELSEWHERE = re.compile(r"##vso\[|##teamcity\[")  # Azure Pipelines; TeamCity
_LINES = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def commands(log: str) -> list[Command]:
    """All that a runner would do because of a log."""
    return [command for line in _LINES.split(log) for command in _in_line(line)]


def _in_line(line: str) -> Iterator[Command]:
    new, old = _NEW.match(line.lstrip()), _OLD.search(line)
    if new and new["name"] in KNOWN:
        pairs = [pair.split("=", 1) for pair in (new["properties"] or "").split(",") if "=" in pair]
        unescaped = {key: _unescaped(value, "%0D %0A %3A %2C %25") for key, value in pairs}
        yield Command(new["name"], unescaped, _unescaped(new["data"], "%0D %0A %25"))
    elif old and old["name"] in KNOWN:
        yield Command(old["name"], {}, old["data"])
    elif _ELSEWHERE.search(line):
        yield Command(line, {}, "")


def _unescaped(text: str, escapes: str) -> str:
    for escape in escapes.split():
        text = text.replace(escape, chr(int(escape[1:], 16)))
    return text
