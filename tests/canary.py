"""Canary, to have one key for all tests, and to look for it in all that they leave behind: output, logs and files.

A test whose output, log or folder holds the key fails, whatever else it says. `conftest.py` makes this hold everywhere.
"""

import asyncio.subprocess
import logging
import subprocess
import uuid
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable, Iterator
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

CANARY = f"CANARY-{uuid.uuid4()}"
"""What every key in a test is: another in each process, so that a test of tests is not taken for a leak."""

_PADDED = [b64encode(b"\0" * ahead + CANARY.encode())[(0, 4, 4)[ahead] :][:-4] for ahead in range(3)]
_FORMS = (CANARY.encode(), CANARY.encode().hex().encode(), *_PADDED)
_leaks: list[str] = []


def shows_it(content: str | bytes | None) -> bool:
    """Whether the key is in there, as it is or encoded."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content or b""
    return any(form in raw for form in _FORMS)


def files_that_show_it(folder: Path) -> list[str]:
    """The files of a folder that hold the key, or are named by it."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if shows_it(path.name) or (path.is_file() and not path.is_symlink() and shows_it(path.read_bytes()))
    ]


class _Logs(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if shows_it(f"{self.format(record)}{vars(record)}"):
            _leaks.append(f"the log of {record.name}")


def _watch(owner: type, name: str, where: str, said: Callable[[Any], Iterable[str | bytes | None]]) -> None:
    """Have what a method returns looked through each time that it is called."""
    method = getattr(owner, name)

    def look(result: Any) -> Any:
        if any(map(shows_it, said(result))):
            _leaks.append(where)
        return result

    async def later(*given: Any, **options: Any) -> Any:
        return look(await method(*given, **options))

    def now(*given: Any, **options: Any) -> Any:
        return look(method(*given, **options))

    setattr(owner, name, later if iscoroutinefunction(method) else now)


def _said_by_command(result: Result) -> Iterable[str | bytes | None]:
    return result.output_bytes, result.stderr_bytes, repr(result.exception)


def pytest_configure() -> None:
    """Look through every log, at every level, and through what commands print."""
    logging.getLogger().addHandler(_Logs(logging.NOTSET))
    logging.getLogger().setLevel(logging.DEBUG)
    _watch(CliRunner, "invoke", "what a command printed", _said_by_command)
    _watch(subprocess.Popen, "communicate", "what a program printed", iter)
    _watch(asyncio.subprocess.Process, "communicate", "what a program printed later", iter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that shows the key."""
    report = yield
    found = [*_leaks, *(name for name, text in report.sections if shows_it(text))]
    _leaks.clear()
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when == "teardown" and folder is not None:
        found += [f"the file {name}" for name in files_that_show_it(folder)]
    if found:
        report.outcome = "failed"
        report.longrepr = f"the canary key is in {', '.join(found)}"
    return report


@pytest.fixture(scope="session", autouse=True)
def no_key_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What several tests share is looked through when all are done."""
    yield
    found = files_that_show_it(tmp_path_factory.getbasetemp())
    assert not found, f"the canary key is in {', '.join(found)}"
