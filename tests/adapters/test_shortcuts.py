"""Test shortcuts, to see that what is read the short way is what would be read with all care."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Connection, Exchange, Fault, Message, Reply, Request, Sampling
from smoadsl.adapters.dialect import PLAIN
from smoadsl.adapters.gather import Gathering
from smoadsl.adapters.http_answer import Answer
from smoadsl.adapters.lines import Event
from smoadsl.adapters.openai import OpenAI, request_body
from smoadsl.adapters.openai_answer import CHAT
from smoadsl.adapters.reading import _take_chunk, _take_events, _take_rest
from smoadsl.adapters.recent import Recent
from smoadsl.adapters.sse import Decoder

ACME = Connection("acme", "http://127.0.0.1:1/v1")
REQUEST = Request("m", (Message("user", "Why?"),))

# ---- whole answers

ODD: list[Any] = [None, True, 0, 1, -1, 2.5, "", " ", "x", "stop", [], ["x"], {}, {"a": 1}, 10**12]
FIELDS: list[tuple[str, ...]] = [
    ("choices",),
    ("choices", "0"),
    ("choices", "0", "index"),
    ("choices", "0", "error"),
    ("choices", "0", "finish_reason"),
    ("choices", "0", "message"),
    ("choices", "0", "message", "content"),
    ("choices", "0", "message", "role"),
    ("choices", "0", "message", "refusal"),
    ("choices", "0", "message", "reasoning_content"),
    ("choices", "0", "message", "tool_calls"),
    ("choices", "1"),
    ("error",),
    ("model",),
    ("usage",),
    ("usage", "prompt_tokens"),
    ("usage", "completion_tokens"),
    ("usage", "prompt_tokens_details"),
    ("usage", "completion_tokens_details"),
    ("usage", "prompt_cache_hit_tokens"),
]
ENDS = st.sampled_from(["stop", "length", "content_filter", "tool_calls", "eos", "error", "STOP"])


def body() -> dict[str, Any]:
    message = {"role": "assistant", "content": "Because."}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}


def put(body: Any, path: tuple[str, ...], value: Any) -> None:
    """Put something else in a place of a body, as far as there is one."""
    for name in path[:-1]:
        is_place = isinstance(body, list) and body and name.isdigit()
        body = body[int(name)] if is_place else body.get(name) if isinstance(body, dict) else None
    if isinstance(body, list) and path[-1].isdigit():
        body[int(path[-1]) :] = [value]
    elif isinstance(body, dict):
        body[path[-1]] = value


def with_care(body: Any, request: Request = REQUEST) -> Reply | str:
    so_far = Gathering(ACME, request, CHAT)
    try:
        so_far.take_whole(body)
        return so_far.reply(Exchange(7))
    except Fault as fault:
        return fault.message


@given(st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(ODD) | ENDS), max_size=3))
def test_a_plain_body_is_read_as_with_all_care(changes: list[tuple[tuple[str, ...], Any]]) -> None:
    changed = body()
    for path, value in changes:
        put(changed, path, orjson.loads(orjson.dumps(value)))
    plain = CHAT.plain(REQUEST, changed, Exchange(7))
    assert plain is None or plain == with_care(changed)


def test_most_bodies_are_plain() -> None:
    told = body()
    told["usage"]["prompt_tokens_details"] = {"cached_tokens": 2, "audio_tokens": 0}
    told["choices"][0]["message"] |= {"refusal": None, "annotations": []}
    for one, cached in ((body(), 0), (told, 2)):
        plain = CHAT.plain(REQUEST, one, Exchange(7))
        assert plain is not None
        assert plain == with_care(one)
        assert plain.usage.cached_tokens == cached


# ---- streams


def event(text: str, **more: Any) -> str:
    delta = {"content": text, **more.pop("delta", {})}
    told = {"id": "c-1", "model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}
    return "data: " + orjson.dumps(told).decode()


def cut_open(inside: str) -> str:
    """An event with anything at all where its text would stand."""
    before, _, behind = event("@").partition("@")
    return before + inside + behind


def care_says(events: list[str]) -> tuple[str, int]:
    """What the pieces at the beginning say, and how many they are, if each is looked at by itself."""
    texts: list[str] = []
    for one in events:
        so_far = Gathering(ACME, REQUEST, CHAT, texts.append)
        size = len(texts)
        try:
            so_far.take_event(Event("", one.removeprefix("data: ")))
        except Fault:
            break
        if len(texts) == size or so_far.finished or so_far.reasons != ("",):
            break
    return "".join(texts), len(texts)


INSIDES = st.text('ab "\\,:{}[]u0041né😀', max_size=8)
EVENTS = (
    st.builds(event, st.text(max_size=6))
    | st.builds(cut_open, INSIDES)
    | st.builds(event, st.text(min_size=1, max_size=3), id=st.sampled_from(["c-2", "content"]))
    | st.builds(
        event, st.just("x"), delta=st.sampled_from([{"role": "assistant"}, {"refusal": "no"}, {"content": "y"}])
    )
    | st.builds(cut_open, st.sampled_from(['x",[', ",", '],"z', ":", '},"z', 'x",{']))
    | st.sampled_from(["data: [DONE]", 'data: {"choices":[]}', ": ping", 'data: {"error":{"message":"no"}}', "data:"])
)


@given(
    st.lists(EVENTS, max_size=12) | st.lists(st.builds(cut_open, INSIDES), min_size=4, max_size=8), st.integers(0, 2)
)
def test_pieces_that_are_read_together_are_what_each_says(events: list[str], before: int) -> None:
    """Also where a reader knows the form of an event that came before."""
    read = CHAT.pieces()
    before = min(before, len(events))
    place = len(stream_of(events[:before]))
    if before:
        read(stream_of(events), 0)
    count, following, text, _ = read(stream_of(events), place)
    said, most = care_says(events[before:])
    assert count <= most
    assert said.startswith(text)
    assert care_says(events[before : before + count])[0] == text
    assert following == place + len(stream_of(events[before : before + count]))


@pytest.mark.parametrize("tail", [[], ["data: [DONE]"], [event("", usage={"prompt_tokens": 1}), "data: [DONE]"]])
@pytest.mark.parametrize("texts", [["One", " two", ' "three"', "\\", "\n", "é😀", "four"], ["a"] * 50])
def test_a_whole_chunk_is_read_at_once(texts: list[str], tail: list[str]) -> None:
    events, first = stream_of([*map(event, texts), *tail]), len(event(texts[0])) + 2
    end = len(stream_of(map(event, texts)))
    assert CHAT.pieces()(events, 0) == (len(texts), end, "".join(texts), "m-1")
    assert CHAT.pieces()(events, first) == (len(texts) - 1, end, "".join(texts[1:]), "m-1")
    read = CHAT.pieces()
    read(events, 0)
    assert read(event("more") + "\n\n", 0) == (1, first - 1 + len("more") - len(texts[0]) + 1, "more", "m-1")


class Silent:
    """An answer of which nobody waits for anything."""

    def progress(self) -> None:
        pass


def read_stream(chunks: Sequence[bytes], at_once: bool) -> tuple[Any, ...]:
    """What comes of a stream in these chunks, and how much of it was lost."""
    said: list[str] = []
    so_far, decoder = Gathering(ACME, REQUEST, CHAT, said.append), Decoder("acme")
    try:
        for chunk in chunks:
            if at_once:
                _take_chunk(so_far, cast(Answer, Silent()), decoder, chunk)
            else:
                _take_events(so_far, cast(Answer, Silent()), decoder.feed(chunk))
        _take_rest(so_far, decoder)
        return "".join(said), so_far.reply(Exchange(7))
    except Fault as fault:
        return "".join(said), fault.kind, fault.message


ENDED = {"model": "m-2", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
COUNTED = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
LINES = (
    EVENTS.map(lambda one: f"{one}\n\n")
    | st.sampled_from([f"data: {orjson.dumps(one).decode()}\n\n" for one in (ENDED, COUNTED)])
    | st.sampled_from(["\n", "\n\n\n", "event: e\n", "data: x\r\n\r\n", "data: x", "\ufeff"])
)


@given(st.lists(LINES, max_size=12).map("".join), st.data())
def test_a_stream_is_read_as_event_by_event_however_it_is_cut(stream: str, data: st.DataObject) -> None:
    whole = stream.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if start < end]
    assert read_stream(chunks, at_once=True) == read_stream([whole], at_once=False)


def stream_of(events: Iterable[str]) -> str:
    """The events as they stand in a stream."""
    return "".join(f"{one}\n\n" for one in events)


# ---- requests


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=20)), min_size=1, max_size=4),
    st.sampled_from([{}, {"temperature": 0.5, "stop": ("a",)}, {"extra": {"x": [], "messages": []}},
                     {"extra": {"a": {"messages": []}}}]),
    st.text(min_size=1, max_size=8),
    st.booleans(),
)  # fmt: skip
def test_what_is_sent_is_what_was_asked(
    turns: list[tuple[Any, str]], given: dict[str, Any], model: str, stream: bool
) -> None:
    request = Request(model, tuple(Message(role, text) for role, text in turns), Sampling(**given))
    adapter = OpenAI(ACME)
    for _ in range(2):
        assert orjson.loads(adapter._body(request, stream)) == request_body(request, stream, PLAIN)


def test_what_was_worked_out_is_known_for_the_very_same_thing() -> None:
    asked: list[list[int]] = []

    def size(of: list[int]) -> int:
        asked.append(of)
        return len(of)

    recent = Recent(size)
    one, same = [1, 2], [1, 2]
    assert [recent(one), recent(one), recent(same), recent(one)] == [2, 2, 2, 2]
    assert [thing is one for thing in asked] == [True, False]
    many = [[number] for number in range(1_000)]
    assert {recent(thing) for thing in many} == {1}
    assert len(recent._known) < 100
