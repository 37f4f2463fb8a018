"""Test once, to see that what is the same for many calls is made once, and is what it would be if made each time."""

import asyncio
import io
from dataclasses import fields
from pathlib import Path

import orjson
import pytest

import smoadsl
from smoadsl.adapters.alarm import Alarm, Clock
from smoadsl.adapters.base import Message
from smoadsl.plan.plan import Agent
from smoadsl.runtime import render
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.events import EVENT, CallAttempted, CallStarted, CallSucceeded, RunStarted
from smoadsl.runtime.journal import journal_to, line_of, read_journal
from smoadsl.runtime.prompts import Prompts, Response
from smoadsl.runtime.stopping import Measured
from smoadsl.tools.virtual_clock import run_virtually
from tests.scripts import made, pipeline, plainly, planned, run

SEEN = [Response("a", "One.", None), Response("b", "Two.", None)]


def agents_of(text: str) -> tuple[Prompts, tuple[Agent, ...]]:
    plan = planned(pipeline(text, more='role doubter = "Doubt."'))
    return Prompts(plan.templates, Conversation.of("hi")), plan.pipeline.layers[0].agents


# ---- messages


def test_agents_that_are_told_the_same_get_the_same_messages() -> None:
    prompts, (one, two, other) = agents_of("layer one {\n propose a, b\n propose a as doubter\n}")
    written = prompts.propose(one, SEEN, None, "one", 2)
    assert prompts.propose(two, list(SEEN), None, "one", 2) is written
    assert prompts.propose(other, SEEN, None, "one", 2) != written
    assert prompts.propose(one, SEEN[:1], None, "one", 2) != written
    assert prompts.propose(one, SEEN, SEEN[0], "one", 2) != written
    later = prompts.propose(one, SEEN, None, "one", 3)
    assert later is not written
    assert prompts.propose(one, SEEN, None, "one", 2) == written


def test_a_template_that_names_its_reader_is_written_for_each() -> None:
    more = 'template t = "You are {{ agent }}."'
    made_ = run(planned(pipeline("layer one { propose a, b { template = t } }", more=more)), plainly)
    assert [made_.of(name).texts[0] for name in ("a", "b")] == [("system", "You are a."), ("system", "You are b.")]


def test_the_mark_is_in_none_of_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    first = render._mark(["a"], ["a"])
    assert render._mark(["a"], ["a", f"x{first}x"]) not in (first, "")


# ---- measures


def test_a_measure_is_taken_once_and_only_if_somebody_asks() -> None:
    taken: list[str] = []

    def measure(name: str, value: float) -> float:
        taken.append(name)
        return value

    known = Measured()
    known.can_take("a", lambda: measure("a", 1.0))
    known.can_take("b", lambda: measure("b", 2.0))
    known.know(c=3.0)
    assert "a" in known
    assert "d" not in known
    assert taken == []
    assert [known["a"], known["a"], known["c"]] == [1.0, 1.0, 3.0]
    assert taken == ["a"]
    assert dict(known) == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert len(known) == 3


# ---- traces


def test_a_plan_that_is_written_once_reads_as_if_written_each_time(tmp_path: Path) -> None:
    plan = planned(pipeline("layer one { propose a, b }"))
    runs = [run(plan, plainly, prompt) for prompt in ('hi ,"messages":[]', "there")]
    file = io.BytesIO()
    write = journal_to(file)
    for made_ in runs:
        for event in made_.events:
            write(event)
    told = [event for made_ in runs for event in made_.events if event.type != "answer_piece"]
    assert file.getvalue().splitlines() == [event.model_dump_json().encode() for event in told]
    path = tmp_path / "t.jsonl"
    path.write_bytes(file.getvalue())
    assert list(read_journal(path)) == told
    assert sum(isinstance(event, RunStarted) for event in told) == 2


@pytest.mark.parametrize("path", sorted(Path("pipelines").glob("**/*.moa")), ids=lambda path: path.name)
@pytest.mark.parametrize("seed", [0, 2**70])
def test_a_run_s_first_line_is_the_event_as_json(path: Path, seed: int) -> None:
    plan = smoadsl.compile(path).value
    if plan is not None:  # else it has no pipeline of its own
        started = RunStarted(at_s=0.25, plan=plan, messages=(Message("user", "hi"),), input={"n": 1}, seed=seed)
        assert line_of(started) == started.model_dump_json().encode() + b"\n"
        assert EVENT.validate_json(line_of(started)) == started


def test_events_are_in_the_file_a_moment_later_and_the_last_one_at_once(tmp_path: Path) -> None:
    events = made("layer one { propose a }").events
    path = tmp_path / "t.jsonl"

    async def main() -> list[int]:
        seen = []
        with path.open("wb") as file:
            write = journal_to(file)
            write(events[1])
            seen.append(len(path.read_bytes().splitlines()))
            await asyncio.sleep(0.1)
            seen.append(len(path.read_bytes().splitlines()))
            write(events[2])
            write(events[-1])
            seen.append(len(path.read_bytes().splitlines()))
        return seen

    assert run_virtually(main()) == [0, 1, 3]
    assert [orjson.loads(line)["type"] for line in path.read_bytes().splitlines()][-1] == "run_finished"


# ---- alarms


def test_an_alarm_ends_what_waits() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError), Alarm(Clock(loop.time() + 3)):
            await asyncio.sleep(10)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(1)
        return loop.time()

    assert run_virtually(main()) == 4


def test_an_alarm_that_was_not_needed_never_rings() -> None:
    async def main() -> str:
        with Alarm(Clock(asyncio.get_running_loop().time() + 3)):
            await asyncio.sleep(2)
        await asyncio.sleep(10)
        return "done"

    assert run_virtually(main()) == "done"


def test_of_two_alarms_the_outer_one_is_not_taken_for_the_inner() -> None:
    async def inner(until: float) -> None:
        try:
            with Alarm(Clock(until)):
                await asyncio.sleep(10)
        except TimeoutError:
            pytest.fail("the inner one rang")

    async def main() -> None:
        now = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError), Alarm(Clock(now + 1)):
            await inner(now + 5)

    run_virtually(main())


@pytest.mark.parametrize("at", [1.0, 3.0, 5.0])
def test_who_is_cancelled_stays_cancelled(at: float) -> None:
    """Before the alarm, in the same moment, and after it, while what it ended still cleans up."""

    async def waits() -> None:
        with Alarm(Clock(3.0)):
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.sleep(4)

    async def main() -> None:
        task = asyncio.ensure_future(waits())
        asyncio.get_running_loop().call_at(at, task.cancel)
        await asyncio.wait([task])
        assert task.cancelled()

    run_virtually(main())


# ---- events that are made without being checked


def test_an_event_that_was_not_checked_is_one_that_can_be(tmp_path: Path) -> None:
    """Events of every call, and what is in them: all fields are there, in order, and of their types."""
    kinds = CallStarted, CallAttempted, CallSucceeded
    unchecked = [event for event in made("layer one { propose a, b }").events if isinstance(event, kinds)]
    assert {type(event) for event in unchecked} == set(kinds)
    for event in unchecked:
        again = EVENT.validate_json(event.model_dump_json())
        assert again == event
        assert list(vars(event)) == list(vars(again)) == [field.name for field in fields(event)]
        assert event.model_copy(update={"call": 99}).call == 99


def test_alarms_of_one_clock_ring_together_and_only_for_who_still_waits() -> None:
    async def waits(clock: Clock, for_s: float) -> bool:
        try:
            with Alarm(clock):
                await asyncio.sleep(for_s)
        except TimeoutError:
            return True
        return False

    async def main() -> tuple[tuple[bool, ...], tuple[bool, ...], float]:
        loop = asyncio.get_running_loop()
        clock, begun = Clock(loop.time() + 3), loop.time()
        early = await asyncio.gather(waits(clock, 1), waits(clock, 2))
        late = await asyncio.gather(waits(clock, 0.5), waits(clock, 5), waits(clock, 9))
        return tuple(early), tuple(late), loop.time() - begun

    assert run_virtually(main()) == ((False, False), (False, True, True), 3.0)
