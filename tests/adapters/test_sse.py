"""Test sse, to see that however the bytes come, the events are the same."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters import lines, sse
from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.adapters.lines import Event
from smoadsl.adapters.sse import Decoder

RECORDED = (
    b"\xef\xbb\xbf: a comment\r\n"
    b"event: greeting\r\ndata: one\r\ndata:two\r\n\r\n"
    b"data: \xe2\x82\xac \xf0\x9f\x90\x9d\rid: 7\r\r"
    b"data\n\n"
    b"retry: 9\n\n"
    b"data:  two spaces\nunknown: field\n\n\n"
    b'data: {"last": true}'
)
EVENTS = [
    Event("greeting", "one\ntwo"),
    Event("", "€ 🐝"),
    Event("", ""),
    Event("", " two spaces"),
    Event("", '{"last": true}', ended=False),
]


def decoded(*chunks: bytes) -> list[Event]:
    decoder = Decoder("p")
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.end()]


def decoded_by_texts(*chunks: bytes) -> list[Event]:
    """The same for a caller who takes whole events as texts where there are such, and one in three of them alone."""
    decoder, events = Decoder("p"), list[Event]()
    for chunk in chunks:
        texts = decoder.plain(chunk)
        if texts is None:
            events += decoder.feed(chunk)
            continue
        for text in texts.split("\n\n")[:-1]:
            data = text.removeprefix("data: ")
            if len(data) % 3 == 0 and text.startswith("data: ") and "\n" not in data:
                events.append(Event("", data))
                decoder.took(1)
            else:
                events += decoder.again(text)
    return [*events, *decoder.end()]


def outcome(*chunks: bytes, way: Callable[..., list[Event]] = decoded) -> list[Event] | str:
    try:
        return way(*chunks)
    except Fault as fault:
        return f"{fault.kind}: {fault.message}"


def test_a_recorded_stream() -> None:
    assert decoded(RECORDED) == EVENTS


def test_every_cut_in_two_gives_the_same_events() -> None:
    for at in range(len(RECORDED) + 1):
        assert decoded(RECORDED[:at], RECORDED[at:]) == EVENTS, at


def test_byte_by_byte_gives_the_same_events() -> None:
    assert decoded(*(RECORDED[at : at + 1] for at in range(len(RECORDED)))) == EVENTS


fields = [b"data: x", b"data:", b": c", b"event: e"]
parts = st.sampled_from([*fields, b"\r", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xc3\xa9"])
streams = st.one_of(
    st.lists(parts, max_size=30).map(b"".join),
    st.lists(st.one_of(parts, st.binary(max_size=3)), max_size=30).map(b"".join),
)


@given(streams, st.data())
def test_any_cuts_give_what_the_whole_gives(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(*chunks) == outcome(stream)


ordinary = st.lists(st.sampled_from([b"data: x\n\n", b'data: {"a": 1}\n\n', b": c\n\n", *fields, b"\n"]), max_size=30)


@pytest.mark.parametrize("chunks", [[b"d", b"ata: x", b"data: x\n\n"], [b"data: x\ny", b"data: z\n\n", b"data: u\n\n"]])
def test_a_chunk_in_the_middle_of_a_line_begins_no_event(chunks: list[bytes]) -> None:
    assert outcome(*chunks, way=decoded_by_texts) == outcome(b"".join(chunks))


@given(st.one_of(streams, ordinary.map(b"".join)), st.data())
def test_events_taken_as_texts_are_the_same(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(*chunks, way=decoded_by_texts) == outcome(stream)


def test_an_event_that_grows_long_is_no_longer_taken_as_a_text() -> None:
    long = b"data: " + b"x" * (2 * sse._MOST_BEGUN)
    decoder = Decoder("p")
    assert decoder.plain(long[:100]) == ""
    assert decoder.plain(long[100:]) is None
    assert list(decoder.feed(long[100:])) == []
    assert list(decoder.feed(b"\n\n")) == [Event("", "x" * (2 * sse._MOST_BEGUN))]
    assert decoder.plain(b"data: y\n\n") == "data: y\n\n"


@given(st.lists(parts, max_size=30).map(b"".join))
def test_events_are_those_of_a_plain_reading(stream: bytes) -> None:
    """The same rules told the short way, for who has the whole text at hand."""
    lines = re.split("\r\n|\r|\n", stream.decode().removeprefix("\ufeff"))
    expected, name, data = list[Event](), "", list[str]()
    for number, line in enumerate(lines, start=1):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        if field == "event":
            name = value.removeprefix(" ")
        last = number == len(lines)
        if data and (last or not line):
            expected.append(Event(name, "\n".join(data), ended=not last))
        if not line:
            name, data = "", []
    assert decoded(stream) == expected


@pytest.mark.parametrize(
    ("stream", "offset"),
    [(b"\xff", 0), (b"data: a\n\ndata: \xc3\x28\n\n", 15), (b"\xef\xbb\xbfdata: \xff\n", 9), (b": \xe2\x82\n", 2)],
)
def test_bad_utf_8_is_a_fault_with_its_offset(stream: bytes, offset: int) -> None:
    for at in range(len(stream) + 1):
        with pytest.raises(Fault, match=rf"not UTF-8 at byte {offset}$") as caught:
            decoded(stream[:at], stream[at:])
        assert caught.value.kind is FaultKind.BAD_BODY


def test_half_a_character_at_the_end_is_a_cut_and_no_fault() -> None:
    assert decoded("data: a\n\ndata: é".encode()[:-1]) == [Event("", "a"), Event("", "", ended=False)]


def test_a_line_has_a_limit() -> None:
    full = b"data: " + b"x" * (lines.LINE_LIMIT - 6)
    assert len(decoded(full + b"\n\n")) == 1
    for chunks in ([full + b"x"], [full, b"x"]):
        with pytest.raises(Fault, match="a line of more than 1048576 bytes"):
            decoded(*chunks)


def test_an_event_has_a_limit() -> None:
    line = b"data: " + b"x" * (lines.LINE_LIMIT - 7) + b"\n"
    with pytest.raises(Fault, match="an event of more than"):
        decoded(*[line] * 9)
    assert len(decoded(*[line + b"\n"] * 9)) == 9


def test_events_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENTS_LIMIT", 10)
    assert len(decoded(b"data: x\n\n" * 10)) == 10
    with pytest.raises(Fault, match="more than 10 events"):
        decoded(b"data: x\n\n" * 11)


def test_comments_without_end_are_no_events() -> None:
    assert decoded(b":\n\n" * 200_000) == []
