"""Test ray parts, to hold what makes up the Ray engine to its promises without a cluster: groups, lines, desk."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import smoadsl
from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Plan
from smoadsl.scale.batch import Settings
from smoadsl.scale.ledger import open_ledger
from smoadsl.scale.ray_cluster import Cluster
from smoadsl.scale.ray_desk import Desk
from smoadsl.scale.ray_line import Line
from smoadsl.scale.ray_order import Order
from smoadsl.scale.ray_rows import groups, is_among, numbers_as_bits, rows_of
from smoadsl.scale.ray_worker import opened
from smoadsl.scale.rows import Data
from smoadsl.scale.schema import LedgerError, connected
from smoadsl.scale.sitting import Work, plan_digest, take_up
from smoadsl.tools.cli import main
from smoadsl.tools.virtual_clock import run_virtually
from tests.adapters.wall import Wall, answer
from tests.canary import CANARY, shows_it

Reply = Callable[[bytes], Awaitable[bytes]]

# ---- groups of rows


@given(st.sets(st.integers(0, 5_000)), st.lists(st.integers(0, 6_000)))
def test_numbers_are_found_in_their_bits_and_no_others(numbers: set[int], others: list[int]) -> None:
    bits = numbers_as_bits(sorted(numbers))
    assert all(is_among(bits, number) for number in numbers)
    assert all(is_among(bits, other) == (other in numbers) for other in others)
    assert int.from_bytes(bits, "little").bit_count() == len(numbers)


ROWS: dict[str, bytes] = {
    "in.jsonl": b'{"prompt": "a", "n": 1.5}\n\n[1]\n{"prompt": "\xc3\xa9\\n"}\n{"torn',
    "in.csv": b'prompt,n\n"a, b",1\nonly one\n"two\nlines",2\n',
    "in.json": b'[{"prompt": "a"}, 7, {"messages": [{"role": "user", "content": "b"}], "deep": {"x": [null, true]}}]',
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_rows_arrive_as_they_were_sent(tmp_path: Path, name: str, size: int) -> None:
    (tmp_path / name).write_bytes(ROWS[name])
    data = Data(tmp_path / name)
    sent = list(data.rows())
    arrived = [row for group in groups(data, b"", size) for row in rows_of(group)]
    assert [(row.number, row.digest, _said(row)) for row in arrived] == [(r.number, r.digest, _said(r)) for r in sent]


def _said(row: Any) -> Any:
    try:
        return dict(row.fields())
    except ValueError as error:
        return str(error)


@given(st.sets(st.integers(1, 40)), st.integers(1, 50))
def test_rows_that_have_an_answer_are_not_sent(answered: set[int], size: int) -> None:
    data = _Forty(Path("in.jsonl"))
    found = [rows_of(group) for group in groups(data, numbers_as_bits(sorted(answered)), size)]
    assert [row.number for group in found for row in group] == [n for n in range(1, 41) if n not in answered]
    assert all(len(group) == size for group in found[:-1])


class _Forty(Data):
    def rows(self) -> Any:
        from smoadsl.scale.rows import Row

        return (Row(number, b"d", {}, lambda number, fields: fields) for number in range(1, 41))


# ---- lines


def test_what_is_said_while_a_message_is_under_way_goes_together() -> None:
    sent: list[list[Any]] = []

    async def send(said: bytes) -> bytes:
        sent.append(orjson.loads(said))
        await asyncio.sleep(1)
        return orjson.dumps([{"to": one} for one in sent[-1]])

    async def main() -> None:
        line = Line(send)
        first = asyncio.ensure_future(line.ask("a", 1))
        await asyncio.sleep(0.5)
        others = [asyncio.ensure_future(line.ask("b", number)) for number in range(700)]
        await asyncio.sleep(0)
        others[3].cancel()
        line.tell("c")
        assert await first == {"to": ["a", 1]}
        replies = await asyncio.gather(*others, return_exceptions=True)
        assert [reply for reply in replies if isinstance(reply, dict)] == [
            {"to": ["b", number]} for number in range(700) if number != 3
        ]
        assert asyncio.get_running_loop().time() == 3

    run_virtually(main())
    assert [len(message) for message in sent] == [1, 500, 201]


def test_a_line_that_breaks_fails_those_who_ask_and_goes_on() -> None:
    broken = iter([True, False])

    async def send(said: bytes) -> bytes:
        if next(broken):
            raise ConnectionError("gone")
        return said

    async def main() -> None:
        line = Line(send)
        both = await asyncio.gather(line.ask(1), line.ask(2), return_exceptions=True)
        assert [str(one) for one in both] == ["gone", "gone"]
        with pytest.raises(TypeError):
            await line.ask(object())  # what is no JSON harms nobody else
        assert await line.ask(3) == [3]

    run_virtually(main())


# ---- a desk and its workers, in one process

PIPELINE = """
provider shop = openai { base_url = "URL/v1", api_key = env("SHOP_KEY"), retries = 0 }
model m = "shop/small" { price = { input = $1, output = $1 }, max_tokens = 20 }
pipeline p {
  layer one { propose m }
  aggregate m
}
"""


class _Actor:
    """A desk as Ray would have it called, in this process. Messages are JSON both ways, and hold no key."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._desk, name)

        class Remote:
            @staticmethod
            async def remote(said: bytes) -> bytes:
                assert not shows_it(said)
                reply: bytes = await method(said)
                assert not shows_it(reply)
                return reply

        return Remote


def compiled(url: str) -> Plan:
    plan = smoadsl.compile(Source("p.moa", PIPELINE.replace("URL", url))).value
    assert isinstance(plan, Plan)
    return plan


@asynccontextmanager
async def desk_at(folder: Path, url: str, rows: int, **given: Any) -> AsyncIterator[tuple[Desk, Order]]:
    """A desk with its ledger in a folder, and the order of its run."""
    path, plan = folder / "in.jsonl", compiled(url)
    path.write_bytes(b"".join(orjson.dumps({"prompt": f"row {n}"}) + b"\n" for n in range(1, rows + 1)))
    work = Work(plan, Data(path), "digest", rows)
    ledger = open_ledger(folder / "run")
    job, _ = take_up(work, ledger, Settings(), False)
    await ledger.close()
    known: dict[str, Any] = {
        "plan": plan,
        "digest": plan_digest(plan),
        "path": path,
        "columns": {},
        "folder": folder / "run",
        "job": job,
        "concurrency": 4,
        "workers": 1,
        "seed": 0,
        "most_usd": None,
        "keeps_events": False,
        "strict": False,
        "paces": False,
        "allowed": (),
        "desk": "desk",
    }
    order = Order(**known | given)
    desk = Desk(order.model_dump_json())
    assert await desk.open() == ""
    try:
        yield desk, order
    finally:
        await desk.close(True)


def group_of(order: Order) -> list[Any]:
    return [row for group in groups(order.data, b"", 100) for row in rows_of(group)]


def sold(attempt: Any) -> list[bytes]:
    text = f"an answer to {attempt.json['messages'][-1]['content']}"
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return [answer({"id": "1", "model": "small", "choices": [choice], "usage": usage})]


async def told(desk: Desk) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(await desk.progress())
    return read


def test_an_order_names_keys_and_holds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", CANARY)
    plan = compiled("https://llm.example.org")
    text = plan.model_dump_json()
    assert "SHOP_KEY" in text
    assert not shows_it(text)
    assert Plan.model_validate_json(text) == plan


def test_rows_that_a_worker_died_over_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", CANARY)

    async def main() -> None:
        async with Wall(sold) as wall, desk_at(tmp_path, wall.url, rows=6) as (desk, order):
            rows = group_of(order)
            first = await opened(order, _Actor(desk))
            dying = asyncio.create_task(first.work(rows))
            await wall.seen(6)
            dying.cancel()
            await asyncio.wait([dying])
            begun = (await told(desk))["under_way"]
            assert begun > 0
            again = await opened(order, _Actor(desk))
            await again.work(rows)
            end = await told(desk)
            assert end["progress"]["answered"] == 6
            assert end["broke_off"] == begun
            assert end["under_way"] == 0
            assert 12 <= len(wall.attempts) <= 12 + begun
            await again.work(rows)  # Ray may have lost that they are done
            assert (await told(desk))["progress"]["answered"] == 6
            assert len(wall.attempts) <= 12 + begun
            await first.leave()
            await again.leave()

    asyncio.run(main())


def test_a_provider_that_is_closed_stops_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", CANARY)
    refusal = answer({"error": {"message": "no such key"}}, status=401)

    async def main() -> None:
        async with Wall(lambda attempt: [refusal]) as wall, desk_at(tmp_path, wall.url, rows=40) as (desk, order):
            place = await opened(order, _Actor(desk))
            await place.work(group_of(order))
            assert place.stopped
            end = await told(desk)
            assert "401" in end["progress"]["why"]
            assert end["progress"]["answered"] == end["progress"]["failed"] == end["under_way"] == 0
            assert len(wall.attempts) <= order.concurrency
            assert not await desk.is_going()
            await place.leave()

    asyncio.run(main())


def test_rows_that_wait_for_an_hour_stop_soon_when_told_to_and_go_on_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", CANARY)
    later = answer({"error": {"message": "later"}}, status=429, headers={"Retry-After": "3600"})
    asked: list[Any] = []
    mended: list[bool] = []

    def script(attempt: Any) -> list[bytes]:
        asked.append(attempt)
        return sold(attempt) if len(asked) <= 2 or mended else [later]

    async def main() -> None:
        async with Wall(script) as wall, desk_at(tmp_path, wall.url, rows=2) as (desk, order):
            first = await opened(order, _Actor(desk))
            waiting = asyncio.create_task(first.work(group_of(order)))
            await wall.seen(3)
            for _ in range(500):
                await asyncio.sleep(0.02 if (await told(desk))["under_way"] else 0)
            assert not waiting.done()
            refused = len(asked) - 2
            mended.append(True)
            again = await opened(order, _Actor(desk))
            await again.work(group_of(order))
            end = await told(desk)
            assert (end["progress"]["answered"], end["progress"]["failed"], end["broke_off"]) == (2, 0, 0)
            assert len(asked) == 4 + refused, "what was bought for them is found"
            await desk.drain("enough")
            await asyncio.wait_for(waiting, 10)
            await first.leave()
            await again.leave()

    asyncio.run(main())


def test_an_answer_that_is_damaged_ends_the_run_and_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with desk_at(tmp_path, "https://llm.example.org", rows=3) as (desk, _):
            await desk.keep(orjson.dumps([("keep", 1, "ab", '{"text": "said"}', "0.1")]))
            with closing(connected(tmp_path / "run" / "ledger.sqlite3")) as file:
                file.execute("UPDATE calls SET reply = replace(reply, 'said', 'sold')")
            with pytest.raises(LedgerError):
                await desk.say(orjson.dumps([("find", "ab")]))
            assert "an answer in it is not as it was written" in (await told(desk))["fault"]
            assert not await desk.is_going()

    asyncio.run(main())


def test_a_row_that_broke_off_counts_for_all_that_it_may_have_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with desk_at(tmp_path, "https://llm.example.org", rows=3, most_usd=Decimal("1.0")) as (desk, _):
            begun = orjson.loads(await desk.begin(orjson.dumps((1, "00", "0.6"))))
            assert begun == {"salt": 1, "new": True}
            await desk.keep(orjson.dumps([("keep", 1, "ab", "{}", "0.1")]))
            again = orjson.loads(await desk.begin(orjson.dumps((1, "00", "0.3"))))
            assert again == {"salt": 1, "new": False}
            assert orjson.loads(await desk.say(orjson.dumps([("find", "ab"), ("find", "cd")]))) == [["{}", "0.1"], None]
            assert (await told(desk))["progress"]["usd"] == "0.6"
            await desk.say(orjson.dumps([("tried", 1, "0", "0")]))
            refused = orjson.loads(await desk.begin(orjson.dumps((2, "00", "0.5"))))
            assert refused == {"stopped": True}
            assert "$0.4000 of the money is left" in (await told(desk))["progress"]["why"]
        ledger = open_ledger(tmp_path / "run")
        assert ledger.books().usd == Decimal("0.6")
        await ledger.close()

    asyncio.run(main())


def test_a_desk_that_can_not_open_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with desk_at(tmp_path, "https://llm.example.org", rows=3) as (desk, order):
            await desk.begin(orjson.dumps((1, "00", "0")))
            second = Desk(order.model_dump_json())
            assert "is in use" in await second.open()
            other = Desk(order.model_copy(update={"digest": "another"}).model_dump_json())
            assert "another smoadsl" in await other.open()

    asyncio.run(main())


# ---- the command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED", "RAY_BACKEND_LOG_LEVEL"):
        monkeypatch.setenv(name, "")  # what the command sets is taken back
    (tmp_path / "p.moa").write_text(PIPELINE.replace("URL", "http://127.0.0.1:9"))
    (tmp_path / "in.jsonl").write_text('{"prompt": "a"}\n')
    files = [str(tmp_path / "p.moa"), str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl")]
    return lambda *options: CliRunner().invoke(main, ["batch", *files, *options])


def test_where_ray_is_missing_the_command_says_how_it_is_installed(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = command("--engine", "ray")
    assert done.exit_code == 3
    assert 'pip install "smoadsl[ray]"' in done.stderr


def test_options_of_a_cluster_need_the_engine(command: Callable[..., Any]) -> None:
    for options in (["--workers", "2"], ["--ray-address", "auto"]):
        done = command(*options)
        assert done.exit_code == 2
        assert "are for --engine ray" in done.stderr


def test_a_client_address_is_refused(command: Callable[..., Any]) -> None:
    done = command("--engine", "ray", "--ray-address", "ray://head:10001")
    assert done.exit_code == 3
    assert "the command runs on one of the cluster's" in done.stderr
    assert Cluster("x").workers is None
