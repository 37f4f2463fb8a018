"""Test locking, to lose no roles: neither those that were reviewed and committed, nor those that were just paid for."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from smoadsl.adapters.base import Request
from smoadsl.adapters.scripted import Scripted
from smoadsl.language.lock import entries_in
from smoadsl.plan.plan import Making
from smoadsl.runtime.roles import NoRoles
from smoadsl.tools import api, locking
from smoadsl.tools.options import Exit
from tests.scripts import KEYS
from tests.test_cli import smoadsl

TEXT = """\
model m = "groq/x"
roles r = generate(m, 2) { task = "Answer." }
pipeline p {
  layer one { propose m * 2 as r }
  aggregate m
}
"""
ROLES = ["You are bold.", "You are careful.\u202e"]
LOCK = '{"version": 1, "roles": {"other": {"fingerprint": "f", "n": 1, "model": "m", "roles": ["You are a."]}}}\n'


class Panel:
    """A pipeline in a folder, whose roles a scripted model makes; `asked` counts how often it was asked."""

    def __init__(self, folder: Path, before: str | None = None) -> None:
        self.file, self.lock, self.asked = folder / "p.moa", folder / "p.moa.lock", 0
        self.file.write_text(TEXT, encoding="utf-8")
        if before is not None:
            self.lock.write_text(before, encoding="utf-8")

    @property
    def making(self) -> Making:
        plan = api.compile(self.file).value
        assert plan is not None
        return plan.making

    @property
    def options(self) -> dict[str, Any]:
        async def answer(request: Request) -> str:
            self.asked += 1
            return orjson.dumps({"roles": ROLES}).decode()

        return {"environ": KEYS, "opener": lambda kind, connection: Scripted(answer)}


def test_roles_join_those_that_are_locked(tmp_path: Path) -> None:
    panel = Panel(tmp_path, LOCK)
    assert asyncio.run(locking.lock_roles(panel.making, **panel.options)) == [panel.lock]
    entries = entries_in(panel.lock.read_text(encoding="utf-8"))
    assert {name: entry.roles for name, entry in entries.items()} == {"other": ("You are a.",), "r": tuple(ROLES)}
    assert sorted(os.listdir(tmp_path)) == ["p.moa", "p.moa.lock"]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    panel = Panel(tmp_path, "\ufeff" + LOCK)
    assert "MOA107" not in smoadsl("check", str(panel.file)).stderr
    assert asyncio.run(locking.lock_roles(panel.making, **panel.options)) == [panel.lock]


BAD = {
    "a conflict": LOCK.replace('"roles": {', '"roles": {\n<<<<<<< HEAD\n', 1),
    "a part": LOCK[:40],
    "something else": "[]",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
@pytest.mark.parametrize("command", ["check", "lock", "run"])
def test_no_command_takes_the_place_of_a_lock_that_can_not_be_read(tmp_path: Path, text: str, command: str) -> None:
    panel = Panel(tmp_path, text)
    done = smoadsl(command, str(panel.file), *(["hi"] if command == "run" else []))
    assert done.exit_code == Exit.PROBLEMS
    assert "error[MOA107]: the lock `p.moa.lock` " in done.stderr
    assert panel.lock.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("kind", ["folder", "fifo"])
@pytest.mark.parametrize("command", ["check", "lock", "run"])
def test_what_is_no_plain_file_is_no_lock(tmp_path: Path, kind: str, command: str) -> None:
    panel = Panel(tmp_path)
    if kind == "folder":
        panel.lock.mkdir()
    elif hasattr(os, "mkfifo"):
        os.mkfifo(panel.lock)
    else:
        pytest.skip("there are no such files here")
    done = smoadsl(command, str(panel.file), *(["hi"] if command == "run" else []))
    assert done.exit_code == Exit.PROBLEMS
    assert "error[MOA107]: the lock `p.moa.lock` " in done.stderr


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_can_not_be_written_is_not_bought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Panel(tmp_path, LOCK)
    making = panel.making
    monkeypatch.setattr(locking, "NamedTemporaryFile", full)
    with pytest.raises(NoRoles, match="can not be written: No space left on device, so no roles were made"):
        asyncio.run(locking.lock_roles(making, **panel.options))
    monkeypatch.undo()
    panel.lock.write_text(BAD["a part"], encoding="utf-8")  # since the file was checked
    with pytest.raises(NoRoles, match=r"p\.moa\.lock is no JSON in line 1, so no roles were made"):
        asyncio.run(locking.lock_roles(making, **panel.options))
    panel.lock.unlink()
    panel.lock.mkdir()
    with pytest.raises(NoRoles, match="can not be written: no plain file, so no roles were made"):
        asyncio.run(locking.lock_roles(making, **panel.options))
    assert panel.asked == 0


def test_what_was_bought_and_can_not_be_written_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    panel = Panel(tmp_path, LOCK)
    monkeypatch.setattr("smoadsl.tools.locking.os.replace", full)
    with pytest.raises(SystemExit) as ended:
        locking.made_or_exit(panel.making, asyncio.run, **panel.options)
    told = capsys.readouterr().err
    making, sentence, shown = told.split("\n", 2)
    assert (ended.value.code, panel.asked, making) == (Exit.FAILED, 1, "making roles: r")
    assert sentence == f"error: {panel.lock} can not be written: No space left on device; these roles were made:"
    assert entries_in(shown.replace("\\u202e", "\u202e"))["r"].roles == tuple(ROLES)
    assert "\u202e" not in shown  # nothing that a model wrote steers a terminal
    assert panel.lock.read_text(encoding="utf-8") == LOCK
    assert sorted(os.listdir(tmp_path)) == ["p.moa", "p.moa.lock"]
