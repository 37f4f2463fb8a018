"""Test cache, to answer the same call once, no other by mistake, and no run worse for a file that is not fit."""

import asyncio
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Message, Reply, Request, Sampling, Usage
from smoadsl.adapters.scripted import Scripted
from smoadsl.calls.attempt import Ask
from smoadsl.calls.cache import Cache, is_sampled
from smoadsl.calls.caller import Caller
from smoadsl.calls.keys import Bound
from smoadsl.calls.route import Env, Provider, Route
from smoadsl.calls.session import Session
from smoadsl.tools.cli import main
from smoadsl.tools.virtual_clock import run_virtually
from tests.adapters.wall import Wall
from tests.calls.asking import HI, Free, asked
from tests.calls.test_failover import well
from tests.canary import CANARY

LAB = Provider("lab", "openai", "https://lab.invalid/v1", Env("LAB_KEY"))
ALLOWED = frozenset({Bound("LAB_KEY", "https://lab.invalid")})
FIXED = Route("lab", "m", Sampling(max_tokens=10, temperature=0.0))
SAMPLED = Route("lab", "m", Sampling(max_tokens=10))
ASKED = Request("m", HI, FIXED.sampling)
REPLY = Reply("kept – \x00 🐝", "stop", Usage(3, 4), "m-2")


def cache_in(folder: Path, said: list[str] | None = None, samples: bool = False) -> Cache:
    return Cache(folder / "c.sqlite3", (said if said is not None else []).append, samples)


def keep(cache: Cache, provider: Provider, route: Route, request: Request, sample: str, reply: Reply) -> None:
    asyncio.run(cache.keep(provider, route, request, sample, reply, by=route))


def find(cache: Cache, provider: Provider, route: Route, request: Request, sample: str) -> Reply | None:
    return asyncio.run(cache.find(provider, route, request, sample))


def test_what_is_kept_is_found_again_by_another_process(tmp_path: Path) -> None:
    keep(cache_in(tmp_path), LAB, FIXED, ASKED, "", REPLY)
    found = find(cache_in(tmp_path), LAB, FIXED, ASKED, "elsewhere")
    assert found == REPLY
    assert stat.S_IMODE((tmp_path / "c.sqlite3").stat().st_mode) == 0o600


def changed(**more: Any) -> tuple[Provider, Route, Request, str]:
    def of(kind: type) -> dict[str, Any]:
        return {name: value for name, value in more.items() if name in kind.__dataclass_fields__}  # type: ignore[attr-defined]

    sampling = replace(FIXED.sampling, **of(Sampling))
    request = replace(ASKED, sampling=sampling, **of(Request))
    return replace(LAB, **of(Provider)), replace(FIXED, sampling=sampling), request, ""


@pytest.mark.parametrize(
    "difference",
    [
        {"adapter": "other"},
        {"base_url": "https://elsewhere.invalid/v1"},
        {"api_key": Env("OTHER_KEY")},
        {"api_key": None},
        {"headers": {"X-Team": "ops"}},
        {"max_tokens": 11},
        {"seed": 7},
        {"top_p": 0.5},
        {"extra": {"a": 1}},
        {"messages": (Message("system", "Hi."),)},
        {"messages": (*HI, Message("user", ""))},
        {"schema": {"type": "object"}},
        {"model": "m-3"},
    ],
)
def test_all_that_matters_is_in_the_key(difference: dict[str, Any], tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    keep(cache, LAB, FIXED, ASKED, "", REPLY)
    assert find(cache, *changed()) == REPLY
    assert find(cache, *changed(**difference)) is None


def test_answers_of_chance_are_kept_only_if_that_is_wanted_and_each_for_its_place(tmp_path: Path) -> None:
    assert [is_sampled(route) for route in (FIXED, SAMPLED)] == [False, True]
    assert not is_sampled(replace(SAMPLED, sampling=Sampling(seed=1)))
    plain, all_ = cache_in(tmp_path), cache_in(tmp_path, samples=True)
    keep(plain, LAB, SAMPLED, ASKED, "a.1", REPLY)
    assert find(all_, LAB, SAMPLED, ASKED, "a.1") is None
    keep(all_, LAB, SAMPLED, ASKED, "a.1", REPLY)
    assert find(all_, LAB, SAMPLED, ASKED, "a.1") == REPLY
    assert find(all_, LAB, SAMPLED, ASKED, "a.2") is None
    assert find(plain, LAB, SAMPLED, ASKED, "a.1") is None


@pytest.mark.parametrize("change", [{"finish": "length"}, {"finish": "unknown"}, {"lost_events": 1}])
def test_only_whole_answers_are_kept(change: dict[str, Any], tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    keep(cache, LAB, FIXED, ASKED, "", replace(REPLY, **change))
    assert find(cache, LAB, FIXED, ASKED, "") is None


def writable_by_others(path: Path) -> None:
    os.chmod(path, 0o666)


def link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


def garbage(path: Path) -> None:
    path.write_bytes(b"This is no database, and never was one." * 100)


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:4400] = b"\xff" * 304
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def sql(*statements: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with sqlite3.connect(path) as file:
            for statement in statements:
                file.execute(statement)

    return spoil


SPOILT: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "others may write": (writable_by_others, "others may write to it"),
    "a link": (link, "no plain file"),
    "garbage": (garbage, "not a database"),
    "damaged": (damaged, ""),
    "a trigger": (sql("CREATE TRIGGER t AFTER INSERT ON replies BEGIN SELECT 1; END"), "something else"),
    "a view": (sql("CREATE VIEW v AS SELECT 1"), "something else"),
    "another table": (sql("DROP TABLE replies", "CREATE TABLE replies (key, request, reply)"), "something else"),
    "a newer version": (sql("PRAGMA user_version = 99"), "another version"),
    "a folder": (folder_instead, "no plain file"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_file_that_is_not_fit_is_left_alone_and_said_once(what: str, tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    for number in range(50):
        keep(cache, LAB, FIXED, replace(ASKED, model=f"m-{number}"), "", REPLY)
    cache.close()
    for rest in ("-wal", "-shm"):
        (tmp_path / f"c.sqlite3{rest}").unlink(missing_ok=True)
    spoil, words = SPOILT[what]
    spoil(tmp_path / "c.sqlite3")
    said: list[str] = []
    cache = cache_in(tmp_path, said)
    for number in range(50):
        assert find(cache, LAB, FIXED, replace(ASKED, model=f"m-{number}"), "") in (None, REPLY)
        keep(cache, LAB, FIXED, ASKED, "", REPLY)
    assert len(said) == 1
    assert words in said[0]
    assert "c.sqlite3 is not used" in said[0]


def test_a_file_that_somebody_has_locked_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smoadsl.calls.cache._BUSY_S", 0.05)
    keep(cache_in(tmp_path), LAB, FIXED, ASKED, "", REPLY)
    with sqlite3.connect(tmp_path / "c.sqlite3") as other:
        other.execute("BEGIN EXCLUSIVE")
        said: list[str] = []
        keep(cache_in(tmp_path, said), LAB, FIXED, ASKED, "", REPLY)
    assert len(said) == 1
    assert "locked" in said[0]


@pytest.mark.parametrize(
    "entry",
    ['{"text": "x"}', "[]", "{", '{"text":1,"finish":"stop","model":"m","input_tokens":1,"output_tokens":1}',
     '{"text":"x","finish":"stop","model":"m","input_tokens":-1,"output_tokens":true}',
     '{"lc":1,"type":"constructor","id":["os","system"],"kwargs":{"text":"x"}}'],
)  # fmt: skip
def test_an_entry_that_is_no_reply_is_passed_over(entry: str, tmp_path: Path) -> None:
    cache = cache_in(tmp_path)
    keep(cache, LAB, FIXED, ASKED, "", REPLY)
    sql(f"UPDATE replies SET reply = '{entry}'")(tmp_path / "c.sqlite3")
    assert find(cache, LAB, FIXED, ASKED, "") is None


def test_an_entry_in_the_place_of_another_is_passed_over(tmp_path: Path) -> None:
    cache, other = cache_in(tmp_path), replace(ASKED, model="other")
    keep(cache, LAB, FIXED, ASKED, "", REPLY)
    keep(cache, LAB, FIXED, other, "", replace(REPLY, text="of the other"))
    with sqlite3.connect(tmp_path / "c.sqlite3") as file:
        keys = [key for (key,) in file.execute("SELECT key FROM replies")]
        file.execute("UPDATE replies SET key = 'x' WHERE key = ?", keys[:1])
        file.execute("UPDATE replies SET key = ? WHERE key = ?", keys)
    assert find(cache, LAB, FIXED, ASKED, "") is None
    assert find(cache, LAB, FIXED, other, "") is None


@given(st.text(), st.text(), st.integers(0, 10**9))
def test_any_text_comes_back_as_it_was(text: str, model: str, tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reply = Reply(text, "stop", Usage(tokens, tokens), model)
        cache = cache_in(Path(folder))
        keep(cache, LAB, FIXED, ASKED, "", reply)
        assert find(cache, LAB, FIXED, ASKED, "") == reply
        cache.close()


def test_a_call_that_was_answered_is_not_made_again(tmp_path: Path) -> None:
    adapter = Scripted(lambda request: "fine")

    async def calls() -> list[list[str]]:
        async with Session({"lab": LAB}, {"LAB_KEY": CANARY}, lambda kind, connection: adapter, ALLOWED) as session:
            caller = Caller(session, Random(0), cache_in(tmp_path))
            done = [await asked(caller, [route]) for route in (FIXED, FIXED, SAMPLED, SAMPLED)]
            assert all(call.reply and call.reply.text == "fine" for call in done)
            pieces: list[str] = []
            await caller.call([FIXED], Ask(HI, 3), Free(), lambda attempt: None, pieces.append)
            assert pieces == ["fine"]
            return [call.outcomes for call in done]

    assert run_virtually(calls()) == [["ok"], ["cached"], ["ok"], ["ok"]]
    assert len(adapter.requests) == 3
    assert CANARY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_the_command_line_keeps_answers_and_uses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOADSL_CACHE", str(tmp_path / "c.sqlite3"))

    async def twice() -> tuple[list[str], int]:
        async with Wall(well) as wall:
            file = tmp_path / "p.moa"
            file.write_text(
                f'provider lab = openai {{ base_url = "{wall.url}/v1" }}\n'
                'model a = "lab/a" { temperature = 0 }\npipeline p { aggregate a { stream = false } }\n'
            )
            outs = []
            for extra in ([], ["--cache"], ["--cache"]):
                trace = tmp_path / "t.jsonl"
                arguments = ["run", str(file), "hi", "--trace", str(trace), *extra]
                result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
                assert result.exit_code == 0, result.output
                outs.append(trace.read_text())
            return outs, len(wall.attempts)

    traces, attempts = asyncio.run(twice())
    assert attempts == 2
    assert '"outcome":"cached"' in traces[2]
    assert '"attempts":0' in traces[2]
