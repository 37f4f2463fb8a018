"""Test ledger, to lose nothing that it was told is safe, and to say in one sentence what is wrong with its file."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from smoadsl.adapters.base import Choice, Fault, FaultKind, Reply, Usage
from smoadsl.scale import ledger as ledgers
from smoadsl.scale.ledger import Ledger, open_ledger
from smoadsl.scale.records import Job, Result, read_reply, written_reply
from smoadsl.scale.rows import Row
from smoadsl.scale.schema import LedgerError, connected

JOB = Job("", "plan", "data", 0)
REPLY = Reply("text", "stop", Usage(3, 4), "model")
CENT = Decimal("0.01")
KEPT = written_reply(REPLY, 0.5), str(CENT)


def row(number: int, said: str = "") -> Row:
    return Row(number, (said or f"row {number}").encode(), b"", lambda number, content: {})


def key(number: int) -> bytes:
    return b"%032d" % number


def with_ledger(folder: Path, do: Callable[[Ledger], object], ended: bool = True) -> None:
    """Open a ledger, do something with it, and close it."""

    async def main() -> None:
        ledger = open_ledger(folder)
        try:
            done = do(ledger)
            if asyncio.iscoroutine(done):
                await done
        finally:
            await ledger.close(ended)

    asyncio.run(main())


def kept(folder: Path, *numbers: int, ended: bool = True) -> None:
    """A ledger with these answers."""

    async def keep(ledger: Ledger) -> None:
        await asyncio.gather(*(ledger.keep(key(number), *KEPT) for number in numbers))

    with_ledger(folder, keep, ended)


def found(folder: Path, *numbers: int) -> list[int]:
    """Which of these answers are there."""
    there: list[int] = []

    async def look(ledger: Ledger) -> None:
        there.extend([number for number in numbers if await ledger.find(key(number)) is not None])

    with_ledger(folder, look)
    return there


# ---- what was kept is there


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    fault = Fault(FaultKind.REFUSED, "refused", billed=True)
    reply = Reply(
        "text", "length", Usage(3, 4, True, 1, 2), "m", 1, "thought", (Choice("other", "stop", "r"),), (fault,)
    )

    async def keep(ledger: Ledger) -> None:
        await ledger.keep(key(1), written_reply(reply, 1.5), "0.000001")
        found = await ledger.find(key(1))
        assert found is not None
        back, took_s = read_reply(found[0])
        assert (back.answers, back.usage, found[1], took_s) == (reply.answers, reply.usage, "0.000001", 1.5)
        assert [(one.kind, one.message, one.billed) for one in back.faults] == [(fault.kind, "refused", True)]
        assert (back.finish, back.model, back.lost_events) == ("length", "m", 1)
        assert await ledger.find(key(2)) is None

    with_ledger(tmp_path / "run", keep)


def test_many_answers_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand at once take a few commits, not a thousand."""
    commits: list[str] = []

    def traced(path: Path) -> sqlite3.Connection:
        file = connected(path)
        file.set_trace_callback(lambda said: commits.append(said) if said == "COMMIT" else None)
        return file

    monkeypatch.setattr(ledgers, "connected", traced)
    kept(tmp_path / "run", *range(1_000))
    assert 1 <= len(commits) <= 50
    assert len(found(tmp_path / "run", *range(1_000))) == 1_000


def test_who_waits_goes_on_once_it_is_in_the_file(tmp_path: Path) -> None:
    """There another reader finds it."""

    async def keep(ledger: Ledger) -> None:
        with closing(sqlite3.connect(ledger.path)) as other:
            for number in range(50):
                await ledger.keep(key(number), *KEPT)
                there = other.execute("SELECT count(*) FROM calls WHERE key = ?", (key(number),)).fetchone()
                assert there == (1,)

    with_ledger(tmp_path / "run", keep)


def test_the_books_hold_all_sittings(tmp_path: Path) -> None:
    kept(tmp_path / "run", 1, 2)
    kept(tmp_path / "run", 3, ended=False)

    def look(ledger: Ledger) -> None:
        books = ledger.books()
        assert (books.answers, books.usd, books.broken, books.in_flight) == (3, 3 * CENT, 1, 0)

    with_ledger(tmp_path / "run", look)


# ---- crashes


def test_a_crash_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    """What stands on the disk at any moment, as a machine without power would leave it."""
    copies: list[tuple[Path, int]] = []

    async def keep(ledger: Ledger) -> None:
        ledger.expect(5)
        for number in range(40):
            await ledger.keep(key(number), *KEPT)
            copies.append((tmp_path / f"copy {number}", number + 1))
            shutil.copytree(ledger.path.parent, copies[-1][0])

    with_ledger(tmp_path / "run", keep)
    for folder, count in copies:
        (folder / "ledger.sqlite3-shm").unlink(missing_ok=True)  # is only ever made of the log
        assert len(found(folder, *range(40))) == count
    seen: list[tuple[int, int]] = []
    with_ledger(copies[-1][0], lambda ledger: seen.append((ledger.books().broken, ledger.books().in_flight)))
    assert seen == [(1, 5)]


def test_a_torn_log_loses_only_its_end(tmp_path: Path) -> None:
    """The last bytes of a log never got to the disk: what was told to be safe before them is there."""

    async def keep(ledger: Ledger) -> None:
        for number in range(10):
            await ledger.keep(key(number), *KEPT)
        shutil.copytree(ledger.path.parent, tmp_path / "torn")

    with_ledger(tmp_path / "run", keep)
    log = tmp_path / "torn" / "ledger.sqlite3-wal"
    log.write_bytes(log.read_bytes()[:-100])
    assert found(tmp_path / "torn", *range(10)) == list(range(9))


def test_a_ledger_that_was_stopped_at_once_is_taken_up(tmp_path: Path) -> None:
    kept(tmp_path / "run", 1, 2, ended=False)
    assert found(tmp_path / "run", 1, 2, 3) == [1, 2]


# ---- a disk that is full


def test_a_full_disk_is_one_sentence_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was acknowledged before it stays."""
    safe: list[int] = []

    def small(path: Path) -> sqlite3.Connection:
        file = connected(path)
        file.execute("PRAGMA max_page_count = 40")
        return file

    long = written_reply(Reply("x" * 500, "stop", Usage(1, 1), "m"), 0.5)

    async def fill(ledger: Ledger) -> None:
        async def one(number: int) -> None:
            await ledger.keep(key(number), long, str(CENT))
            safe.append(number)

        ends = await asyncio.gather(*(one(number) for number in range(50)), return_exceptions=True)
        assert ends == [None] * 50
        ends = await asyncio.gather(*(one(number) for number in range(50, 500)), return_exceptions=True)
        failed = [end for end in ends if end is not None]
        assert len(failed) == 500 - len(safe)
        assert {type(end) for end in failed} == {LedgerError}
        assert {str(end) for end in failed} == {
            f"{ledger.path} can not be written: database or disk is full; once that is mended, the same goes on"
        }
        with pytest.raises(LedgerError, match="database or disk is full"):
            await ledger.written()
        with pytest.raises(LedgerError, match="database or disk is full"):
            ledger.lost(CENT)

    with monkeypatch.context() as patched:
        patched.setattr(ledgers, "connected", small)
        with_ledger(tmp_path / "run", fill, ended=False)
    assert 50 <= len(safe) < 500
    assert found(tmp_path / "run", *range(500)) == sorted(safe)


def test_what_no_file_can_hold_leaves_nobody_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = open_ledger(tmp_path / "run")
        ledger._writer.write("INSERT INTO jobs (name) VALUES (?)", "\ud800")
        with pytest.raises(LedgerError, match="can not be written: 'utf-8' codec can't encode"):
            await asyncio.wait_for(ledger.written(), 10)
        await ledger.close(ended=False)

    asyncio.run(main())
    assert found(tmp_path / "run", 1) == []


def test_close_gives_the_folder_back_whatever_happened(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = open_ledger(tmp_path / "run")
        ledger._writer.write("INSERT INTO elsewhere VALUES (1)")
        with pytest.raises(LedgerError, match="no such table: elsewhere"):
            await ledger.written()
        with pytest.raises(LedgerError, match="no such table: elsewhere"):
            await ledger.close()

    asyncio.run(main())
    assert found(tmp_path / "run", 1) == []


# ---- files that are not as they were left


def spoilt(folder: Path, how: Callable[[Path], object]) -> str:
    """What is said of a ledger after something happened to its file."""
    how(folder / "ledger.sqlite3")
    with pytest.raises(LedgerError) as refused:
        found(folder, *range(1_000))
    said = str(refused.value)
    assert "\n" not in said
    return said.replace(f"{folder}/", "")


def test_a_log_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    async def keep(ledger: Ledger) -> None:
        await ledger.keep(key(1), *KEPT)
        shutil.copytree(ledger.path.parent, tmp_path / "copy")

    with_ledger(tmp_path / "run", keep)
    said = spoilt(tmp_path / "copy", lambda path: path.with_name("ledger.sqlite3-wal").unlink())
    assert said == (
        "ledger.sqlite3-wal is gone, and the last answers with it: put it back, or begin anew with another output file"
    )


def test_a_ledger_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    async def keep(ledger: Ledger) -> None:
        await ledger.keep(key(1), *KEPT)
        shutil.copytree(ledger.path.parent, tmp_path / "copy")

    with_ledger(tmp_path / "run", keep)
    said = spoilt(tmp_path / "copy", lambda path: path.unlink())
    assert said.startswith("ledger.sqlite3 is damaged: it is gone, and only its log is left; put a copy of it back")


@pytest.mark.parametrize("ended", [True, False])
def test_a_damaged_page_is_seen(tmp_path: Path, ended: bool) -> None:
    kept(tmp_path / "run", *range(1_000), ended=ended)

    def spoil(path: Path) -> None:
        content = bytearray(path.read_bytes())
        for page in range(8, len(content) // 4096):
            content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
        path.write_bytes(content)

    assert spoilt(tmp_path / "run", spoil).startswith("ledger.sqlite3 is damaged: ")


def test_a_damaged_answer_is_seen(tmp_path: Path) -> None:
    """Also where SQLite itself sees nothing wrong."""
    kept(tmp_path / "run", *range(10))

    def spoil(path: Path) -> None:
        content = path.read_bytes()
        assert b'"text":"text"' in content
        path.write_bytes(content.replace(b'"text":"text"', b'"text":"tent"'))

    said = spoilt(tmp_path / "run", spoil)
    assert said.startswith("ledger.sqlite3 is damaged: an answer in it is not as it was written; put a copy of it back")


def test_a_damaged_result_is_seen(tmp_path: Path) -> None:
    def end(ledger: Ledger) -> None:
        job = ledger.take_on(JOB, [])
        ledger.end(ledger.begin(job, row(1), 0), Result(answer="seventeen"), None)

    with_ledger(tmp_path / "run", end)
    path = tmp_path / "run" / "ledger.sqlite3"
    path.write_bytes(path.read_bytes().replace(b"seventeen", b"eighteen?"))
    with pytest.raises(LedgerError, match="is damaged: the result of row 1 is not as it was written"):
        with_ledger(tmp_path / "run", lambda ledger: list(ledger.results(1)))


def test_a_cut_file_is_seen(tmp_path: Path) -> None:
    kept(tmp_path / "run", *range(1_000))
    assert "is damaged: " in spoilt(tmp_path / "run", lambda path: path.write_bytes(path.read_bytes()[:50_000]))


def change(path: Path, *statements: str) -> None:
    file = sqlite3.connect(path)
    for statement in statements:
        file.execute(statement)
    file.commit()
    file.close()


def foreign(path: Path) -> None:
    path.unlink()
    change(path, "CREATE TABLE notes (text TEXT)", "PRAGMA user_version = 9")


STRANGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("newer", lambda p: change(p, "PRAGMA user_version = 3"), "was written by a newer smoadsl: use that one, or an"),
    ("a table more", lambda p: change(p, "CREATE TABLE x (y)"), "is no ledger of smoadsl: choose another output file"),
    ("a view", lambda p: change(p, "CREATE VIEW x AS SELECT 1"), "is no ledger of smoadsl: choose another output file"),
    ("foreign", foreign, "is no ledger of smoadsl: choose another output file"),
    ("no database", lambda p: p.write_bytes(b"x" * 5_000), "is damaged: file is not a database; put a copy of it back"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "said"), [case[1:] for case in STRANGE], ids=[case[0] for case in STRANGE])
def test_a_file_that_is_no_ledger_of_ours_is_left_alone(
    tmp_path: Path, how: Callable[[Path], object], said: str
) -> None:
    kept(tmp_path / "run", 1)
    assert spoilt(tmp_path / "run", how).startswith(f"ledger.sqlite3 {said}")


def test_a_run_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can not be used: Not a directory"):
        kept(tmp_path / "file" / "run", 1)


# ---- one process at a time


def test_a_second_opener_is_told(tmp_path: Path) -> None:
    def again(ledger: Ledger) -> None:
        with pytest.raises(
            LedgerError, match=r"run is in use: another process works on this run; let it end, or stop it"
        ):
            open_ledger(tmp_path / "run")

    with_ledger(tmp_path / "run", again)
    assert found(tmp_path / "run", 1) == []


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    """Even with one that is killed; the file of the lock may stay."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom smoadsl.scale.ledger import open_ledger\n"
        "async def main():\n    open_ledger(Path(sys.argv[1]))\n    print('open', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "run"], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(LedgerError, match="is in use"):
            found(tmp_path / "run", 1)
        process.kill()
    assert (tmp_path / "run" / "lock").exists()
    assert found(tmp_path / "run", 1) == []
