"""Test keyless, to have a provider write its key into good answers, whole and in pieces, and hand it on to nobody."""

import asyncio
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Connection
from smoadsl.adapters.words import Keyless, without
from smoadsl.calls.route import Env, Provider
from smoadsl.calls.session import Session
from tests.adapters.attempts import completion, piece
from tests.adapters.wall import STREAM_HEAD, Act, Attempt, Ending, Wall, answer, events
from tests.calls.asking import ROUTE, Called, asked, caller_of
from tests.canary import CANARY, shows_it

KEY = "sk-acme-0f9a8b7c6d5e4f3a2b1c"
FORMS = (KEY, KEY.encode().hex(), b64encode(KEY.encode()).decode().rstrip("=")[:-1])


@given(
    st.lists(st.one_of(st.text("sk-acme 0f9", max_size=12), st.sampled_from(FORMS), st.text(max_size=8)), max_size=6),
    st.lists(st.integers(1, 30), min_size=1, max_size=20),
)
def test_a_stream_is_what_is_left_of_the_whole(parts: list[str], sizes: list[int]) -> None:
    text, shown, at = "".join(parts), list[str](), 0
    stream = Keyless([KEY], shown.append)
    for number in range(len(text)):
        size = sizes[number % len(sizes)]
        stream.feed(text[at : at + size])
        at += size
    stream.end()
    assert all(shown)
    said = "".join(shown)
    assert not any(form in said for form in FORMS)
    if without(text, [KEY]) == text:
        assert said == text


def test_nothing_waits_that_can_not_be_a_key() -> None:
    shown: list[str] = []
    stream = Keyless([KEY], shown.append)
    for text in ("Ask", " s", "oon: ", "sk-ac", "tually", "."):
        stream.feed(text)
    assert shown == ["A", "sk ", "soon: ", "sk-actually", "."]


@pytest.mark.parametrize("stream", [False, True])
def test_no_answer_holds_the_key(stream: bool) -> None:
    text = f"You sent Bearer {CANARY} just now."

    def script(attempt: Attempt) -> list[Act]:
        if not stream:
            return [answer(completion(text))]
        pieces = events(*(piece(text[at : at + 7]) for at in range(0, len(text), 7)), piece(finish="stop"), "[DONE]")
        return [STREAM_HEAD, pieces, Ending.CLOSE]

    async def main() -> Called:
        async with Wall(script) as wall:
            lab = Provider("lab", "openai", f"{wall.url}/v1", Env("LAB_KEY"))
            async with Session({"lab": lab}, {"LAB_KEY": CANARY}) as session:
                return await asked(caller_of(session), [ROUTE], stream=stream)

    called = asyncio.run(main())
    assert called.reply is not None
    assert called.reply.text == "You sent Bearer [redacted] just now."
    assert not shows_it(f"{called}")
    if stream:
        assert "".join(called.pieces) == called.reply.text


def test_what_stands_in_the_file_and_what_is_short_is_no_secret() -> None:
    headers = {"X-Title": "a study of mixtures", "x-gateway": "gateway-0123456789"}
    asked_of = Connection("lab", "", "ollama", headers, public=frozenset(("X-Title",)))
    assert asked_of.secrets == ("gateway-0123456789",)
    assert without("ollama does a study of mixtures", asked_of.secrets) == "ollama does a study of mixtures"
    assert Connection("lab", "", KEY, headers).secrets == (KEY, *headers.values())


def test_a_session_knows_which_headers_are_secret() -> None:
    headers: dict[str, str | Env] = {"X-Title": "a study of mixtures", "x-gateway": Env("GATEWAY")}
    lab = Provider("lab", "openai", "http://127.0.0.1:1/v1", Env("LAB_KEY"), headers)
    session = Session({"lab": lab}, {"LAB_KEY": KEY, "GATEWAY": "gateway-0123456789"})
    session.opened("lab")
    assert session.secrets("lab") == (KEY, "gateway-0123456789")
