"""Test siblings, to let no call be harmed by what another one met."""

import asyncio

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Request
from smoadsl.adapters.scripted import Answer
from smoadsl.runtime.events import RunFailed
from smoadsl.tools.virtual_clock import run_virtually
from tests.calls.asking import ROUTE, Called, asked, caller_of, session_of
from tests.scripts import pipeline, plainly, planned, run


class Unheard(BaseException):
    """What no adapter may raise, and one of another package does."""


@pytest.mark.parametrize("error", [Unheard("secret"), ValueError("secret"), RecursionError()])
def test_an_adapter_that_breaks_its_contract_fails_one_call(error: BaseException) -> None:
    async def script(request: Request) -> Answer:
        await asyncio.sleep(0.1)
        if request.tag == "3":
            raise error
        return "fine"

    async def main() -> list[Called]:
        async with session_of(script) as session:
            caller = caller_of(session)
            called = await asyncio.gather(*(asked(caller, [ROUTE], tag=str(n)) for n in range(8)))
            assert session.gate("lab").is_idle
            return called

    called = run_virtually(main())
    assert [call.reply is not None for call in called] == [n != 3 for n in range(8)]
    fault = called[3].fault
    assert fault is not None
    assert (fault.kind, fault.billed) == (FaultKind.LOCAL, True)
    assert type(error).__name__ in fault.message
    assert "secret" not in fault.message


def test_a_proposer_whose_adapter_breaks_leaves_the_others_their_answers() -> None:
    async def script(call, request: Request) -> Answer:  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.1)
        if call.agent == "b":
            raise Unheard
        return plainly(call, request)

    made = run(planned(pipeline("layer one {\n propose a, b, c\n quorum 2\n}"), "p"), script)
    assert made.answer is not None, made.failed
    assert made.answer.totals.calls == 4


REFUSED_KEY = """
model a = "groq/a" { max_tokens = 100, price = { input = $1, output = $10 } }
model b = "groq/b" { max_tokens = 100, price = { input = $1, output = $10 } }
pipeline p {
  layer one { propose a, b }
  layer two { propose a, b }
  aggregate a
}
"""


@pytest.mark.parametrize(("refused_in", "is_billed"), [("one", False), ("two", True)])
def test_what_was_under_way_with_a_key_that_was_never_taken_costs_nothing(refused_in: str, is_billed: bool) -> None:
    """Once it was taken, what it was taken for may be billed, whatever becomes of it later."""

    async def script(call, request: Request) -> Answer:  # type: ignore[no-untyped-def]
        if call.layer == refused_in:
            await asyncio.sleep(0.1 if call.agent == "a" else 5)
            raise Fault(FaultKind.STATUS, "groq refused the key", status=401)
        return plainly(call, request)

    made = run(planned(REFUSED_KEY), script)
    if is_billed:
        assert made.answer is not None, made.failed
        assert made.answer.totals.estimated
        return
    assert "groq refused the key" in made.failed
    (end,) = made.told(RunFailed)
    assert isinstance(end, RunFailed)
    assert (end.totals.calls, end.totals.usd, end.totals.output_tokens, end.totals.estimated) == (2, 0.0, 0, False)
