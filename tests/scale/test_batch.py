"""Test batch, to have one result of every row, to stop where going on makes no sense, and never to pass the money."""

import asyncio
import re
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given, settings

from smoadsl.adapters.base import Fault, FaultKind, Reply, Request, Usage
from smoadsl.adapters.scripted import Answer, Scripted
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import RunError, execute
from smoadsl.scale.batch import Progress, Settings
from smoadsl.scale.rows import Data
from smoadsl.scale.sitting import Drained, Watch
from smoadsl.scale.widest import widest
from smoadsl.tools.virtual_clock import run_virtually
from tests.random_plans import Kind, programs
from tests.scale.sat import ONE, TEAM, lines, plainly, questions, sat
from tests.scripts import KEYS, planned

CLOSED = Fault(FaultKind.STATUS, "groq answered with status 401: no such key", status=401)
PAUSED = Fault(FaultKind.STATUS, "groq answered with status 429: later", status=429, retry_after_s=3600)
REFUSED = Fault(FaultKind.REFUSED, "groq refused to answer", billed=True)


def last(request: Request) -> str:
    return request.messages[-1].content


# ---- one result of each row


def test_rows_are_under_way_together_and_their_results_stand_in_order(tmp_path: Path) -> None:
    """Whatever order they come to their ends in; never more at once than was said, and never fewer without need."""
    under_way = most = 0
    random = Random(1)
    looks: list[int] = []

    async def script(request: Request) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(random.uniform(1, 100))
        under_way -= 1
        return plainly(request)

    watch = Watch(on_progress=lambda progress: looks.append(progress.rows))
    made = sat(tmp_path / "run", ONE, questions(tmp_path / "in.jsonl", 200), script, Settings(7), watch=watch)
    assert most == 7
    assert looks == list(range(1, 201))
    assert list(made.answers.items()) == [(number, f"a: question {number}") for number in range(1, 201)]
    assert made.progress == Progress(answered=200, calls=200, tokens=3_000, usd=Decimal("0.012"))
    assert (made.books.answers, made.books.usd) == (200, Decimal("0.012"))


def test_a_row_that_is_none_is_a_result_that_says_so(tmp_path: Path) -> None:
    data = lines(tmp_path / "in.jsonl", '{"prompt": "a"}', "[]", "", '{"x": 1}', '{"prompt": "b"}', '{"prompt": "c')
    made = sat(tmp_path / "run", ONE, data)
    assert {number: result.error for number, result in made.results.items()} == {
        1: "",
        2: "line 2 is no JSON object, as a row must be",
        4: "it has none of messages, turns, prompt, instruction, question: --map prompt=COLUMN names what to read",
        5: "",
        6: "line 6 is no JSON: unexpected end of data at character 14",
    }
    assert (made.progress.answered, made.progress.failed, made.complete) == (2, 3, True)
    assert made.progress.first_error == "row 2: line 2 is no JSON object, as a row must be"


def test_a_row_without_an_answer_is_tried_again_by_the_next_sitting(tmp_path: Path) -> None:
    data = questions(tmp_path / "in.jsonl", 10)
    made = sat(tmp_path / "run", TEAM, data, lambda r: REFUSED if last(r) == "question 4" else plainly(r))
    assert (made.progress.answered, made.progress.failed, made.complete) == (9, 1, True)
    assert made.results[4].answer is None
    assert "groq refused to answer" in made.results[4].error
    made = sat(tmp_path / "run", TEAM, data)
    assert (made.progress.earlier, made.progress.answered, len(made.requests)) == (9, 1, 4)
    assert made.results[4].error == ""


def test_the_text_of_a_row_is_never_evaluated(tmp_path: Path) -> None:
    text = "{{ 7*7 }} {% for x in y %} ${HOME} {{ prompt }}"
    data = lines(tmp_path / "in.jsonl", orjson.dumps({"prompt": text, "about": text}).decode())
    made = sat(tmp_path / "run", TEAM, data)
    assert all(last(request) == text for request in made.requests if len(request.messages) == 1)
    assert all("49" not in message.content for request in made.requests for message in request.messages)
    assert made.answers == {1: f"b: {text}"}


def test_a_template_sees_the_fields_of_its_row(tmp_path: Path) -> None:
    text = 'template t = "For {{ input.who }}."' + ONE.replace("stream = false", "stream = false, template = t")
    data = lines(tmp_path / "in.jsonl", '{"prompt": "a", "who": "me"}', '{"prompt": "b"}')
    made = sat(tmp_path / "run", text, data)
    assert made.requests[0].messages[0].content == "For me."
    assert made.results[1].answer == "a: a"
    assert "who" in made.results[2].error


def test_a_second_turn_gets_the_answer_of_the_first(tmp_path: Path) -> None:
    data = lines(tmp_path / "in.jsonl", '{"question_id": 81, "turns": ["one", "two", "three"]}')
    made = sat(tmp_path / "run", ONE, data)
    assert [[(m.role, m.content) for m in r.messages] for r in made.requests] == [
        [("user", "one")],
        [("user", "one"), ("assistant", "a: one"), ("user", "two")],
        [("user", "one"), ("assistant", "a: one"), ("user", "two"), ("assistant", "a: two"), ("user", "three")],
    ]
    result = made.results[1]
    assert (result.answer, result.answers) == ("a: three", ("a: one", "a: two", "a: three"))
    assert (result.calls, result.input_tokens, result.output_tokens) == (3, 30, 15)


def test_a_turn_that_fails_leaves_the_row_without_an_answer_and_is_all_that_is_bought_again(tmp_path: Path) -> None:
    data = lines(tmp_path / "in.jsonl", '{"turns": ["one", "two"]}')
    made = sat(tmp_path / "run", ONE, data, lambda r: REFUSED if last(r) == "two" else plainly(r))
    assert (made.results[1].answer, made.results[1].answers) == (None, ())
    made = sat(tmp_path / "run", ONE, data)
    assert [last(request) for request in made.requests] == ["two"]
    assert (made.results[1].answers, made.results[1].usd) == (("a: one", "a: two"), 0.00012)


# ---- where it stops


def test_what_is_drained_ends_what_is_under_way_and_begins_no_more(tmp_path: Path) -> None:
    begun: list[Drained] = []

    async def script(request: Request) -> Answer:
        await asyncio.sleep(10)
        return plainly(request)

    def look(progress: Progress) -> None:
        if progress.rows == 20:
            begun[0].drain("enough")

    watch = Watch(look, begun.append)
    data = questions(tmp_path / "in.jsonl", 100)
    made = sat(tmp_path / "run", TEAM, data, script, Settings(8), watch=watch)
    assert (made.progress.why, made.complete) == ("enough", False)
    assert 20 <= made.progress.rows <= 20 + 8
    assert len(made.requests) == made.progress.rows * 4, "none was cut off, and none was begun for nothing"
    assert (made.books.broken, made.books.in_flight) == (0, 0)
    again = sat(tmp_path / "run", TEAM, data, script, Settings(8))
    assert (again.progress.earlier, again.complete) == (made.progress.rows, True)
    assert len(made.requests) + len(again.requests) == 400


def test_strict_stops_at_the_first_row_without_an_answer(tmp_path: Path) -> None:
    data = questions(tmp_path / "in.jsonl", 50)
    script = lambda r: REFUSED if last(r) == "question 5" else plainly(r)  # noqa: E731
    made = sat(tmp_path / "run", ONE, data, script, Settings(2, strict=True))
    assert re.match("row 5 has no answer, and --strict was given: .*groq refused to answer", made.progress.why)
    assert 5 <= made.progress.rows <= 6


def test_a_closed_provider_stops_it_and_leaves_the_rows_undone(tmp_path: Path) -> None:
    """A key that is not taken is not tried a million times, and no row is lost to it."""
    data = questions(tmp_path / "in.jsonl", 1_000)
    made = sat(tmp_path / "run", ONE, data, lambda r: CLOSED, Settings(8))
    assert len(made.requests) <= 8
    assert (made.progress.why, made.progress.rows, made.results) == (CLOSED.message, 0, {})
    again = sat(tmp_path / "run", ONE, data, plainly, Settings(8))
    assert (again.progress.answered, again.complete) == (1_000, True)


def test_a_key_that_ends_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    sent = 0

    def script(request: Request) -> Answer:
        nonlocal sent
        sent += 1
        return plainly(request) if sent <= 110 else CLOSED

    data = questions(tmp_path / "in.jsonl", 100)
    made = sat(tmp_path / "run", TEAM, data, script, Settings(4))
    assert (made.progress.why, made.progress.failed) == (CLOSED.message, 0)
    assert made.books.answers == 110
    again = sat(tmp_path / "run", TEAM, data, plainly, Settings(4))
    assert (again.complete, len(again.requests)) == (True, 400 - 110)


def test_who_asks_for_an_hour_gets_it_and_then_it_goes_on(tmp_path: Path) -> None:
    """Nothing that was answered before is bought again, and no row fails."""
    times: list[float] = []

    def script(request: Request) -> Answer:
        now = asyncio.get_running_loop().time()
        times.append(now)
        return PAUSED if now < 1 and request.model == "b" and len(request.messages) > 1 else plainly(request)

    made = sat(tmp_path / "run", TEAM, questions(tmp_path / "in.jsonl", 30), script, Settings(3))
    assert (made.progress.answered, made.progress.failed, made.complete) == (30, 0, True)
    assert made.books.answers == 120
    refused = len(made.requests) - 120
    assert 1 <= refused <= 3 * 4
    assert not [time for time in times if 10 < time < 3_590], "it is left alone meanwhile"


def test_who_waits_for_an_hour_stops_at_once_when_told_to(tmp_path: Path) -> None:
    begun: list[Drained] = []
    ended: list[float] = []

    def script(request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        loop.call_at(5, begun[0].drain, "enough")
        return PAUSED

    def begin(batch: Drained) -> None:
        begun.append(batch)
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: ended.append(asyncio.get_running_loop().time()))

    made = sat(tmp_path / "run", ONE, questions(tmp_path / "in.jsonl", 9), script, watch=Watch(begun=begin))
    assert (made.progress.why, made.results) == ("enough", {})
    assert ended[0] < 10


def test_a_hundred_failures_in_a_row_stop_it(tmp_path: Path) -> None:
    data = questions(tmp_path / "in.jsonl", 500)
    made = sat(tmp_path / "run", ONE, data, lambda r: REFUSED, Settings(8))
    assert made.progress.why.startswith("100 rows one after the other had no answer; the last: ")
    assert 100 <= made.progress.failed <= 107


def test_failures_that_are_not_in_a_row_do_not(tmp_path: Path) -> None:
    """Nor do rows that are none: they say nothing of the others."""
    rows = ["{}" if number % 90 else f'{{"prompt": "{number}"}}' for number in range(1, 501)]
    rows += [f'{{"prompt": "{number}"}}' for number in range(500)]
    script = lambda r: plainly(r) if int(last(r)) % 90 == 0 else REFUSED  # noqa: E731
    made = sat(tmp_path / "run", ONE, lines(tmp_path / "in.jsonl", *rows), script, Settings(1))
    assert (made.progress.why, made.complete, made.progress.rows) == ("", True, 1_000)


# ---- money


def dear(request: Request) -> Reply:
    """As dear as it may be: all the tokens that were asked for, and one for two bytes of the prompt."""
    size = sum(len(message.content.encode()) for message in request.messages) // 2
    return Reply(f"{request.model}: {last(request)}", "stop", Usage(size, request.sampling.max_tokens), request.model)


def spent(requests: list[Request]) -> Decimal:
    return sum((dear(r).usage.input_tokens + 10 * Decimal(dear(r).usage.output_tokens) for r in requests), Decimal(0))


@pytest.mark.parametrize("most", [1, 5, 20, 100])
def test_the_money_is_never_passed(tmp_path: Path, most: int) -> None:
    """Not by many rows at once, not by several sittings; what is left would not hold another row."""
    data = questions(tmp_path / "in.jsonl", 400)
    limit = Decimal(most) / 100
    settings = Settings(16, most_usd=limit)
    made = sat(tmp_path / "run", TEAM, data, dear, settings)
    assert re.fullmatch(
        r"\$0\.\d{4} of the money is left, and the next row may cost \$0\.\d{4} at worst", made.progress.why
    )
    assert made.books.usd == spent(made.requests) / 1_000_000 <= limit
    assert made.progress.failed == 0
    again = sat(tmp_path / "run", TEAM, data, dear, settings)
    assert (again.requests, again.books.usd) == ([], made.books.usd)
    more = sat(tmp_path / "run", TEAM, data, dear, Settings(16, most_usd=Decimal(5)))
    assert (more.complete, len(made.requests) + len(more.requests)) == (True, 1_600)
    assert more.books.usd == (spent(made.requests) + spent(more.requests)) / 1_000_000


def test_the_money_holds_for_several_turns_from_any_column(tmp_path: Path) -> None:
    row = orjson.dumps({"asked": ["one " * 50, "two " * 50, "three " * 50]}).decode()
    data = Data(lines(tmp_path / "in.jsonl", *[row] * 40).path, {"turns": "asked"})
    made = sat(tmp_path / "run", TEAM, data, dear, Settings(4, most_usd=Decimal("0.4")))
    assert made.progress.why.startswith("$0.")
    assert 0 < made.progress.answered < 40
    assert made.progress.failed == 0
    assert made.books.usd == spent(made.requests) / 1_000_000 <= Decimal("0.4")


def test_failures_that_are_billed_are_in_the_books(tmp_path: Path) -> None:
    """At the worst that they can have cost, so that the money is not passed by them either."""
    data = questions(tmp_path / "in.jsonl", 40)
    settings = Settings(4, most_usd=Decimal("0.02"))
    made = sat(tmp_path / "run", ONE, data, lambda r: REFUSED if int(last(r)[-1]) % 2 else dear(r), settings)
    assert made.progress.why.startswith("$0.0")
    assert spent(made.requests) / 1_000_000 <= made.books.usd <= Decimal("0.02")
    assert made.progress.usd == made.books.usd


# ---- what is kept


def test_events_are_kept_where_they_are_wanted(tmp_path: Path) -> None:
    data = questions(tmp_path / "in.jsonl", 3)
    made = sat(tmp_path / "run", TEAM, data, settings=Settings(2, keeps_events=True))
    assert sorted(made.events) == [1, 2, 3]
    kinds = Counter(orjson.loads(line)["type"] for line in made.events[2].splitlines())
    assert (kinds["run_started"], kinds["call_succeeded"], kinds["run_finished"]) == (1, 4, 1)
    assert sat(tmp_path / "other", TEAM, data).events == {}


def test_the_same_seed_makes_the_same_results(tmp_path: Path) -> None:
    """Whatever is under way at once, and wherever it was broken off."""
    data = questions(tmp_path / "in.jsonl", 20)
    one = sat(tmp_path / "one", TEAM, data, settings=Settings(1))
    many = sat(tmp_path / "many", TEAM, data, settings=Settings(20))
    assert one.results == many.results


# ---- how much can be under way


@settings(max_examples=30)
@given(programs(Kind(fallbacks=True)))
def test_no_more_calls_of_a_row_are_under_way_than_is_said(text: str) -> None:
    """What may be bought twice after a crash is said beforehand, and is true of every pipeline."""
    random = Random(7)
    under_way = most = 0

    async def script(request: Request) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            await asyncio.sleep(random.uniform(0.1, 3))
        finally:
            under_way -= 1
        return "{}" if request.schema else random.choice("12345")

    plan = planned(text.replace(' { output = json(file("s.json")) }', ""), "p")

    async def main() -> None:
        adapter = Scripted(script)
        async with Session(plan.providers, KEYS, lambda kind, connection: adapter) as session:
            with suppress(RunError):
                await execute(plan, Conversation.of("hi"), Caller(session, Random(0)), lambda _: None)

    run_virtually(main())
    assert most <= widest(plan.pipeline)
