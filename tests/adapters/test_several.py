"""Test several, to see one request bring several answers: each whole and in its place, or a fault of its own."""

from dataclasses import replace
from typing import Any

import pytest

from smoadsl.adapters.base import Choice, FaultKind, Usage
from smoadsl.adapters.dialect import Dialect
from tests.adapters.attempts import ACME, CLOSE, COUNTED, REQUEST, Tried, completion, piece, tried
from tests.adapters.wall import CHUNKED_HEAD, STREAM_HEAD, Act, answer, chunked, drip, events

SEVERAL = replace(ACME, dialect=Dialect(n=True))
THREE = replace(REQUEST, n=3)

EMPTY, REFUSED, TRUNCATED = FaultKind.EMPTY, FaultKind.REFUSED, FaultKind.TRUNCATED


def choice(index: int | None, content: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    numbered = {} if index is None else {"index": index}
    return {**numbered, "message": {"content": content, **more}, "finish_reason": finish}


def whole(*choices: dict[str, Any]) -> Tried:
    return tried([answer(completion(choices=list(choices)))], request=THREE, connection=SEVERAL)


def streamed(*acts: Act) -> Tried:
    return tried(acts, stream=True, request=THREE, connection=SEVERAL)


def texts(result: Tried) -> list[str]:
    assert result.reply
    return [one.text for one in result.reply.answers]


def kinds(result: Tried) -> list[FaultKind]:
    assert result.reply
    return [fault.kind for fault in result.reply.faults]


def test_all_of_them_come_in_the_order_of_their_numbers() -> None:
    result = whole(choice(2, "C", "length"), choice(0, "A"), choice(1, "B"))
    assert result.reply
    assert result.reply.text == "A"
    assert result.reply.others == (Choice("B", "stop"), Choice("C", "length"))
    assert result.reply.faults == ()
    assert result.reply.usage == Usage(11, 7)
    assert result.attempts[0].json["n"] == 3


def test_without_numbers_their_place_is_one() -> None:
    assert texts(whole(choice(None, "A"), choice(None, "B"), choice(None, "C"))) == ["A", "B", "C"]


def test_one_that_is_no_answer_takes_none_of_the_others_with_it() -> None:
    result = whole(choice(0, None, refusal="No."), choice(1, "B"), choice(2, "Beca", "error"))
    assert texts(result) == ["B"]
    assert kinds(result) == [REFUSED, TRUNCATED]
    result = whole(choice(0, "A"), choice(1, " "))
    assert texts(result) == ["A"]
    assert kinds(result) == [EMPTY, EMPTY]  # one without text, one that did not come


def test_where_none_is_an_answer_the_attempt_failed() -> None:
    assert whole(choice(0, "x", "content_filter"), choice(1, ""), choice(2, None)).kind is REFUSED


def test_more_than_were_asked_for_are_passed_over() -> None:
    assert texts(whole(*(choice(index, "ABCDE"[index]) for index in range(5)))) == ["A", "B", "C"]


STREAM = [
    *(piece("", index, role="assistant") for index in range(3)),
    *(piece(text, index) for text, index in [("Al", 0), ("Ba", 1), ("pha", 0), ("Ga", 2), ("mma", 2), ("ker", 1)]),
    *(piece(index=index, finish=finish) for index, finish in [(1, "stop"), (0, "stop"), (2, "length")]),
    COUNTED,
    "[DONE]",
]


def test_streamed_only_the_pieces_of_the_first_are_shown() -> None:
    result = streamed(CHUNKED_HEAD, *drip(chunked(events(*STREAM)), 0))
    assert result.pieces == ["Al", "pha"]
    assert result.reply
    assert result.reply.answers == (Choice("Alpha", "stop"), Choice("Baker", "stop"), Choice("Gamma", "length"))
    assert result.reply.usage == Usage(11, 7)


def test_of_a_stream_that_is_cut_those_that_ended_are_answers() -> None:
    result = streamed(STREAM_HEAD, events(*STREAM[:10]), CLOSE)
    assert texts(result) == ["Baker"]
    assert kinds(result) == [TRUNCATED, TRUNCATED]
    assert streamed(STREAM_HEAD, events(*STREAM[:9]), CLOSE).kind is TRUNCATED


@pytest.mark.parametrize("stream", [False, True])
def test_who_gives_only_one_answer_is_not_asked_for_several(stream: bool) -> None:
    result = tried([], stream, THREE, replace(ACME, api_key=None))
    assert result.kind is FaultKind.LOCAL
    assert "acme can not be asked like this: it gives one answer to a request" in str(result.fault)
    assert not result.attempts
