"""Test cassette, to see what was recorded come back as it was, and nothing else, ever."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import (
    Adapter,
    Choice,
    Connection,
    Fault,
    FaultKind,
    Message,
    Reply,
    Request,
    Sampling,
    Usage,
)
from smoadsl.adapters.cassette import Recording, Replaying, recording, replaying
from smoadsl.adapters.scripted import Scripted
from tests.adapters.attempts import ACME, REQUEST, completion
from tests.adapters.wall import Wall, answer
from tests.canary import CANARY

LIMITED = Fault(FaultKind.STATUS, "slow down", status=429, retry_after_s=2.0, reason="quota", should_retry=False)
RICH = Reply(
    "One.", "length", Usage(3, 4, True, 1, 2), "m", 5, "Hm.", (Choice("Two.", "stop", "So."),), (LIMITED,)
)  # fmt: skip
OTHER = replace(REQUEST, model="other")


def asked(adapter: Adapter, *requests: Request) -> list[Reply | Fault]:
    async def main() -> list[Reply | Fault]:
        async with aclosing(adapter):
            return [await one(adapter, request) for request in requests]

    return asyncio.run(main())


async def one(adapter: Adapter, request: Request, pieces: list[str] | None = None) -> Reply | Fault:
    try:
        return await adapter.complete(request, None if pieces is None else pieces.append)
    except Fault as fault:
        return fault


def scripted(*answers: Any) -> Scripted:
    left = list(answers)
    return Scripted(lambda _: left.pop(0))


def record(folder: Path, answers: Sequence[Any], requests: Sequence[Request], connection: Connection = ACME) -> None:
    asked(Recording(scripted(*answers), connection, folder), *requests)


def facts(answer: Reply | Fault) -> Any:
    if isinstance(answer, Fault):
        return {key: value for key, value in vars(answer).items() if key != "exchange"}
    return {
        **{field: getattr(answer, field) for field in Reply.__slots__},
        "faults": [facts(one) for one in answer.faults],
    }


def test_what_was_recorded_comes_back_with_all_that_it_says(tmp_path: Path) -> None:
    answers: list[Reply | Fault] = [RICH, LIMITED, Reply("Last.", "stop", Usage(1, 1), "m")]
    record(tmp_path, answers, [REQUEST] * 3)
    again = asked(Replaying(Connection("acme"), tmp_path), *[REQUEST] * 3)
    assert [facts(one) for one in again] == [facts(one) for one in answers]


def test_each_request_has_its_own_tape(tmp_path: Path) -> None:
    differing = [
        REQUEST,
        OTHER,
        replace(REQUEST, messages=(Message("user", "Why?"),)),
        replace(REQUEST, sampling=Sampling(51)),
        replace(REQUEST, sampling=Sampling(50, extra={"a": 1})),
        replace(REQUEST, schema={"type": "object"}),
        replace(REQUEST, n=2),
    ]
    record(tmp_path, [str(number) for number in range(len(differing))], differing)
    assert len(list(tmp_path.glob("*.json"))) == len(differing)
    replies = asked(Replaying(ACME, tmp_path), *reversed([replace(request, tag="7") for request in differing]))
    assert [reply.text for reply in replies if isinstance(reply, Reply)] == ["6", "5", "4", "3", "2", "1", "0"]


def test_f115_what_is_missing_is_an_error_and_never_a_call(tmp_path: Path) -> None:
    record(tmp_path, ["Here."], [REQUEST])
    opener = replaying(tmp_path)
    again, missing = asked(opener("openai", ACME), REQUEST, REQUEST)
    assert isinstance(again, Reply)
    assert isinstance(missing, Fault)
    assert missing.kind is FaultKind.LOCAL
    assert "holds 1 answers, and this is request number 2: record it anew" in missing.message
    (unknown,) = asked(opener("openai", ACME), OTHER)
    assert isinstance(unknown, Fault)
    assert unknown.kind is FaultKind.LOCAL
    assert f"the cassette in {tmp_path} does not hold a request to acme/other" in unknown.message


@pytest.mark.parametrize("bytes_left", [0, 1, 40, -200, -3, -2])
def test_b58_a_tape_that_breaks_off_is_known(tmp_path: Path, bytes_left: int) -> None:
    record(tmp_path, ["Here."], [REQUEST])
    (tape,) = tmp_path.glob("*.json")
    tape.write_bytes(tape.read_bytes()[:bytes_left])
    (fault,) = asked(Replaying(ACME, tmp_path), REQUEST)
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.LOCAL
    assert "it breaks off or is no JSON: record it anew" in fault.message


def edited(path: Path, change: Any) -> None:
    body = orjson.loads(path.read_bytes())
    change(body)
    path.write_bytes(orjson.dumps(body))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda body: body["answers"][0]["choices"][0].update(text="There."), "it was changed after"),
        (lambda body: body["answers"].pop(), "it was changed after"),
        (lambda body: body["request"].update(model="other"), "it was changed after"),
        (lambda body: body.update(tape=2), "has not the shape"),
        (lambda body: body.update(more=1), "has not the shape"),
        (lambda body: body["answers"][0].update(kind="gone"), "has not the shape"),
        (lambda body: body["answers"][0].update(choices=[]), "has not the shape"),
        (lambda body: body["answers"][0].pop("usage"), "has not the shape"),
    ],
)
def test_a_tape_that_was_edited_is_known(tmp_path: Path, change: Any, words: str) -> None:
    record(tmp_path, ["Here."], [REQUEST])
    (tape,) = tmp_path.glob("*.json")
    edited(tape, change)
    (fault,) = asked(Replaying(ACME, tmp_path), REQUEST)
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.LOCAL
    assert words in fault.message


def test_a_tape_in_the_place_of_another_is_known(tmp_path: Path) -> None:
    record(tmp_path, ["Here.", "There."], [REQUEST, OTHER])
    one, other = tmp_path.glob("*.json")
    one.replace(other)
    faults = [found for found in asked(Replaying(ACME, tmp_path), REQUEST, OTHER) if isinstance(found, Fault)]
    assert sorted("does not hold" in fault.message for fault in faults) == [False, True]
    assert any("it holds the answers to another request" in fault.message for fault in faults)


def test_a_tape_is_its_owners_and_no_link_is_followed(tmp_path: Path) -> None:
    record(tmp_path / "deep" / "er", ["Here."], [REQUEST])
    (tape,) = (tmp_path / "deep" / "er").iterdir()  # and no unfinished file beside it
    assert tape.stat().st_mode & 0o777 == 0o600
    tape.rename(tmp_path / "elsewhere")
    tape.symlink_to(tmp_path / "elsewhere")
    (fault,) = asked(Replaying(ACME, tape.parent), REQUEST)
    assert isinstance(fault, Fault)
    assert "can not be read" in fault.message


def test_a_cassette_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (fault,) = asked(Recording(scripted("Here."), ACME, tmp_path / "file"), REQUEST)
    assert isinstance(fault, Fault)
    assert fault.kind is FaultKind.LOCAL
    assert "can not be written: " in fault.message


def test_recording_anew_replaces_what_was_there(tmp_path: Path) -> None:
    record(tmp_path, ["Old.", "Older."], [REQUEST, REQUEST])
    record(tmp_path, ["New."], [REQUEST])
    first, second = asked(Replaying(ACME, tmp_path), REQUEST, REQUEST)
    assert isinstance(first, Reply)
    assert first.text == "New."
    assert isinstance(second, Fault)


def test_answers_go_to_who_asked_first_whoever_was_answered_first(tmp_path: Path) -> None:
    async def main(adapter: Adapter) -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(adapter.complete(REQUEST)) for _ in range(3)]
        return [task.result().text for task in tasks]

    waits = [0.03, 0.01, 0.02]

    async def slow(_: Request) -> str:
        wait = waits.pop(0)
        await asyncio.sleep(wait)
        return str(wait)

    said = asyncio.run(main(Recording(Scripted(slow), ACME, tmp_path)))
    assert asyncio.run(main(Replaying(ACME, tmp_path))) == said == ["0.03", "0.01", "0.02"]


def test_pieces_come_as_words(tmp_path: Path) -> None:
    record(tmp_path, ["One two."], [REQUEST])
    pieces: list[str] = []
    asyncio.run(one(Replaying(ACME, tmp_path), REQUEST, pieces))
    assert pieces == ["One", " two."]


def test_what_never_left_this_machine_is_not_recorded(tmp_path: Path) -> None:
    record(tmp_path, [Fault(FaultKind.LOCAL, "no key"), "Here."], [REQUEST, REQUEST])
    (first,) = asked(Replaying(ACME, tmp_path), REQUEST)
    assert isinstance(first, Reply)
    half = replace(REQUEST, messages=(Message("user", "\ud800"),))
    for adapter in (Recording(scripted("x"), ACME, tmp_path), Replaying(ACME, tmp_path)):
        (fault,) = asked(adapter, half)
        assert isinstance(fault, Fault)
        assert "half a character" in fault.message


def test_a23_a24_no_key_and_no_header_is_on_the_tape(tmp_path: Path) -> None:
    secret = replace(ACME, headers={"X-Gateway": CANARY + "-too"})
    echoed = completion(f"Your key is {CANARY}.") | {"model": f"for {CANARY}"}
    answers = [answer(echoed), answer({"error": {"message": f"not {CANARY}-too"}}, 401)]

    async def main() -> None:
        wall = Wall(lambda _: [answers.pop(0)])
        async with wall:
            connection = replace(secret, base_url=wall.url)
            async with aclosing(recording(tmp_path, open_adapter)("openai", connection)) as adapter:
                await one(adapter, REQUEST)
                await one(adapter, OTHER)

    asyncio.run(main())
    tapes = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")]
    assert len(tapes) == 2
    assert all("[redacted]" in tape and CANARY not in tape and "127.0.0.1" not in tape for tape in tapes)
