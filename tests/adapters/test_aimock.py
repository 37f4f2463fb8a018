"""Test aimock, to hear all four protocols from a server that others wrote, and hold to the providers' own."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Connection, Fault, FaultKind, Message, Reply, Request, Sampling
from smoadsl.adapters.contract import CHECKS, Check, Subject

FOLDER = Path(__file__).parent / "aimock"
SERVER = FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    not (NODE and SERVER.is_file()), reason="needs node, and `npm ci --ignore-scripts` in tests/adapters/aimock"
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol: its adapter, where it is spoken below the server's address, a model that speaks it, and what this
    server leaves out of it."""

    adapter: str
    path: str
    model: str
    lacks: tuple[str, ...] = ()


SPOKEN = [
    Spoken("openai", "/v1", "gpt-4o", lacks=("thinking",)),
    Spoken("anthropic", "/v1", "claude-sonnet-4-5"),
    Spoken("gemini", "/v1beta", "gemini-2.5-flash"),
    Spoken("ollama", "", "llama3", lacks=("thinking", "usage", "length")),
]
each = pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: spoken.adapter)
both = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    command = [str(NODE), str(SERVER), "-p", "0", "-f", str(FOLDER / "fixtures.json"), "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout
        try:
            yield next(found[0] for line in child.stdout if (found := re.search(r"http://[\d.:]+", line)))
        finally:
            child.terminate()


def ask(server: str, spoken: Spoken, text: str, streamed: bool = False) -> tuple[Reply | Fault, list[str]]:
    pieces: list[str] = []
    request = Request(spoken.model, (Message("system", "Be brief."), Message("user", text)), Sampling(50))

    async def main() -> Reply | Fault:
        connection = Connection("aimock", f"{server}{spoken.path}", "a-key")
        async with aclosing(open_adapter(spoken.adapter, connection)) as adapter:
            try:
                return await adapter.complete(request, pieces.append if streamed else None)
            except Fault as fault:
                return fault

    return asyncio.run(main()), pieces


def replied(server: str, spoken: Spoken, text: str, streamed: bool) -> Reply:
    reply, pieces = ask(server, spoken, text, streamed)
    assert isinstance(reply, Reply), reply
    assert not streamed or "".join(pieces) == reply.text
    return reply


def failed(server: str, spoken: Spoken, text: str, streamed: bool) -> Fault:
    fault, _ = ask(server, spoken, text, streamed)
    assert isinstance(fault, Fault), fault
    return fault


@each
@both
def test_an_answer(server: str, spoken: Spoken, streamed: bool) -> None:
    reply = replied(server, spoken, "plain", streamed)
    assert (reply.text, reply.finish) == ("Because – 🐝. So it is, and so it was.", "stop")
    assert reply.usage.estimated is ("usage" in spoken.lacks)
    assert reply.usage.estimated or (reply.usage.input_tokens, reply.usage.output_tokens) == (11, 7)
    assert reply.model == spoken.model


@each
@both
def test_thinking_is_no_part_of_it(server: str, spoken: Spoken, streamed: bool) -> None:
    reply = replied(server, spoken, "think", streamed)
    assert reply.text == "An answer."
    assert reply.reasoning == ("" if "thinking" in spoken.lacks else "Hm, let me see.")


@each
@both
def test_an_answer_that_was_cut_at_its_most_tokens(server: str, spoken: Spoken, streamed: bool) -> None:
    reply = replied(server, spoken, "short", streamed)
    assert (reply.text, reply.finish) == ("One two", "stop" if "length" in spoken.lacks else "length")


@pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.adapter in ("openai", "gemini")], ids=str)
@both
def test_a_filter(server: str, spoken: Spoken, streamed: bool) -> None:
    assert failed(server, spoken, "filtered", streamed).kind is FaultKind.REFUSED


@each
@both
def test_a_tool_that_was_not_asked_for(server: str, spoken: Spoken, streamed: bool) -> None:
    assert failed(server, spoken, "tool", streamed).kind is FaultKind.EMPTY


@each
@both
@pytest.mark.parametrize(("text", "status", "words"), [("limited", 429, "Slow down"), ("overloaded", 529, "Too busy")])
def test_an_error(server: str, spoken: Spoken, streamed: bool, text: str, status: int, words: str) -> None:
    fault = failed(server, spoken, text, streamed)
    assert (fault.kind, fault.status) == (FaultKind.STATUS, status)
    assert words in fault.message


@each
def test_a_cut(server: str, spoken: Spoken) -> None:
    fault, pieces = ask(server, spoken, "cut", streamed=True)
    assert isinstance(fault, Fault), fault
    assert fault.kind is FaultKind.TRUNCATED
    assert "One two three ".startswith("".join(pieces))


@each
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract(server: str, spoken: Spoken, check: Check) -> None:
    request = Request(spoken.model, (Message("user", "slow" if "cancelled" in check.__name__ else "plain"),))

    well, broken = (Connection("aimock", url, "a-key") for url in (f"{server}{spoken.path}", "http://127.0.0.1:9"))

    async def main() -> None:
        await check(Subject(partial(open_adapter, spoken.adapter), well, broken, request))

    asyncio.run(main())
