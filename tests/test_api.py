"""Test api, to use the package as a Python program does: compile, run, stream, with or without an event loop."""

import asyncio
import gc

import pytest

import smoadsl
from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, Request
from smoadsl.adapters.scripted import Answer as Scripting
from smoadsl.adapters.scripted import Script, Scripted
from smoadsl.calls.session import Opener
from smoadsl.runtime import events

TEXT = smoadsl.Source("p.moa", 'model m = "ollama/x"\npipeline p {\n  layer one { propose m * 2 }\n  aggregate m\n}\n')
BROKEN = smoadsl.Source("p.moa", 'model m = "ollama/x"\npipeline p { aggregate n }\n')


def answers(request: Request) -> Scripting:
    return "twice " + request.messages[-1].content


def opener(script: Script = answers) -> Opener:
    def open_(kind: str, connection: Connection) -> Adapter:
        return Scripted(script)

    return open_


def test_a_plan_is_made_and_run() -> None:
    outcome = smoadsl.compile(TEXT)
    assert outcome.ok
    assert outcome.value is not None
    answer = smoadsl.run_sync(outcome.value, "hi", opener=opener())
    assert (answer.text, answer.totals.calls, answer.degraded) == ("twice hi", 3, ())


@pytest.mark.filterwarnings("error")
def test_where_a_loop_runs_already_its_user_is_told_what_to_write() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="write `await smoadsl"):
            smoadsl.run_sync(TEXT, "hi", opener=opener())
        assert (await smoadsl.run(TEXT, "hi", opener=opener())).text == "twice hi"

    asyncio.run(main())
    gc.collect()  # a coroutine that nobody awaits warns when it goes


def test_a_prompt_that_no_request_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        smoadsl.run_sync(TEXT, "hi\ud800", opener=opener())


def test_a_source_is_run_at_once() -> None:
    assert smoadsl.run_sync(TEXT, "hi", opener=opener()).text == "twice hi"


def test_events_are_streamed_as_they_happen() -> None:
    async def main() -> list[smoadsl.Event]:
        return [event async for event in smoadsl.stream(TEXT, "hi", opener=opener())]

    told = asyncio.run(main())
    assert isinstance(told[0], events.RunStarted)
    assert "".join(event.text for event in told if isinstance(event, events.AnswerPiece)) == "twice hi"
    assert isinstance(told[-1], events.RunFinished)
    assert told == [events.EVENT.validate_json(event.model_dump_json()) for event in told]


def test_who_leaves_a_stream_ends_the_run() -> None:
    async def slow(request: Request) -> Scripting:
        await asyncio.sleep(60)
        return "late"

    async def main() -> set[asyncio.Task[object]]:
        stream = smoadsl.stream(TEXT, "hi", opener=opener(slow))
        async for _ in stream:
            break
        await stream.aclose()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_a_file_with_problems_is_refused_with_all_of_them() -> None:
    with pytest.raises(smoadsl.CompileError, match="no model is called `n`") as refused:
        smoadsl.run_sync(BROKEN, "hi")
    assert [diagnostic.code for diagnostic in refused.value.diagnostics] == ["MOA101"]


def test_a_run_without_an_answer_says_why() -> None:
    def down(request: Request) -> Scripting:
        return Fault(FaultKind.STATUS, "the machine is on fire", status=400)

    with pytest.raises(smoadsl.RunError, match=r"m\.1, m\.2 failed: the machine is on fire"):
        smoadsl.run_sync(TEXT, "hi", opener=opener(down))
