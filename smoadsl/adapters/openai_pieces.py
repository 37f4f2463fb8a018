"""OpenAI pieces, to read at once the many events of a stream that are nothing but a piece of the answer."""

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import takewhile
from typing import Any, NamedTuple

import orjson

from smoadsl.adapters.base import JSON
from smoadsl.adapters.gather import Pieces

PLAIN = frozenset(("content", "role"))
"""What is told of an answer that is nothing but text."""

_DATA = len("data: ")
_FEWEST_ALIKE = 4
_MOST_AT_ONCE = 24_000  # characters of events that are looked at together: from 30,000 on, `split` is slower
_LEAST_AT_ONCE = 1_500
_STEP = 4
_CONTENT = re.compile(r'"content": ?("(?:[^"\\]|\\.)*")')


class _Form(NamedTuple):
    """What stands before and behind the text of an event that is nothing but a piece. `behind` has the empty line."""

    before: str
    behind: str
    model: JSON


class PieceReader:
    """Reads the events of one stream. Nearly all of them have the form of the one before, and are cut out of it."""

    def __init__(self) -> None:
        self._form: _Form | None = None
        self._at_once = (
            _MOST_AT_ONCE  # less where not all are pieces, or each that is none would have them looked at anew
        )

    def __call__(self, events: str, place: int) -> Pieces:
        most = self._at_once
        here = events if not place and len(events) <= most else events[place : place + most]
        count, size, text, model = self._as_before(here) or self._with_care(here)
        all_taken = here.find("\n\n", size) < 0
        self._at_once = min(most * _STEP, _MOST_AT_ONCE) if all_taken else max(most // _STEP, _LEAST_AT_ONCE)
        return Pieces(count, place + size, text, model if isinstance(model, str) else "")

    def _as_before(self, events: str) -> "_Read | None":
        """The events, if they have the form that is known."""
        form = self._form
        read = _alike(events, form) if form is not None and events.startswith(form.before) else _NOTHING
        return read if read[0] else None

    def _with_care(self, events: str) -> "_Read":
        """The events, of which the first is looked at for its form."""
        first = events[: max(events.find("\n\n"), 0)]
        if _has_data(first) and '"content"' in first:
            with suppress(LookupError, TypeError, ValueError, AttributeError):  # something else: nothing of it is taken
                body = orjson.loads(first[_DATA:])
                if (text := _piece(body)) is None:
                    return _NOTHING
                self._form = _form_of(first, text, body.get("model"))
                alike = _NOTHING if self._form is None else _alike(events, self._form)
                return alike if alike[0] >= _FEWEST_ALIKE else _one_by_one(events)
        return _NOTHING


_Read = tuple[int, int, str, JSON]  # how many events, how long they are, what they say, and the model's name
_NOTHING: _Read = (0, 0, "", "")


def says_more(told: dict[str, JSON]) -> bool:
    """Whether something besides its text is told of an answer."""
    return any(value and name not in PLAIN for name, value in told.items())


def _piece(body: Any) -> str | None:
    """The text of an event that is nothing but a piece of the answer. What is of another shape raises an error."""
    (choice,) = body["choices"]
    delta = choice["delta"]
    text = delta["content"]
    if (
        not text  # a ping: nothing to wait for
        or type(text) is not str
        or choice.get("finish_reason") is not None
        or choice.get("index") != 0
        or (not delta.keys() <= PLAIN and says_more(delta))
        or "error" in choice
        or "error" in body
        or body.get("usage") is not None
    ):
        return None
    return text


def _form_of(event: str, text: str, model: JSON) -> _Form | None:
    """The form of an event that is nothing but this piece, if it is seen where the text stands in it."""
    found = _CONTENT.search(event)
    if found is None or event.count('"content"') != 1 or "\n" in event or orjson.loads(found[1]) != text:
        return None
    before, behind = event[: found.start(1) + 1], event[found.end(1) - 1 :]
    if "\\u" in before or "\\u" in behind:  # the word could be spelled with it
        return None
    return _Form(before, behind + "\n\n", model)


def _alike(events: str, form: _Form) -> _Read:
    """The events that have this form, up to the last of them; none if there is another among them.

    Their texts are cut out of them as they stand there, and read at once. Each has to be the inside of one JSON string:
    none may end in a backslash, and as many strings must be read as there are events."""
    before, behind, model = form
    *alike, _ = events.split(behind)
    size = len(before)
    pieces = [event[size:] for event in alike]
    told = "".join(alike)
    quoted = '","'.join(pieces) + '"'
    if not alike or before + before.join(pieces) != told or '\\","' in quoted or quoted[-2:] == '\\"':
        return _NOTHING
    try:
        texts = orjson.loads(f'["{quoted}]')
        text = "".join(texts)
    except (orjson.JSONDecodeError, TypeError):  # what stands there is more than a string
        return _NOTHING
    count = len(alike)
    return (count, len(told) + count * len(behind), text, model) if len(texts) == count and all(texts) else _NOTHING


def _one_by_one(events: str) -> _Read:
    """The events up to the first that is more than a piece."""
    texts: list[str] = []
    size = 0
    model: JSON = ""
    with suppress(LookupError, TypeError, ValueError, AttributeError):
        for event, body in _bodies(events):
            if (text := _piece(body)) is None:
                break
            texts.append(text)
            size += len(event) + 2
            model = body.get("model") or model
    return len(texts), size, "".join(texts), model


def _bodies(events: str) -> Iterable[tuple[str, Any]]:
    """Each of the events with its JSON, as far as they have nothing but that: read as one list if all are objects,
    which takes a third less than one by one."""
    each = events.split("\n\n")
    each.pop()  # it was cut, or is nothing
    joined = "\n\n".join(each)
    if joined.startswith("data: {") and joined.endswith("}"):
        listed = joined[_DATA:].replace("}\n\ndata: {", "},{")
        if "\n" not in listed:
            with suppress(orjson.JSONDecodeError):
                bodies: list[Any] = orjson.loads(f"[{listed}]")
                if len(bodies) == len(each):
                    return zip(each, bodies, strict=True)
    return ((event, orjson.loads(event[_DATA:])) for event in takewhile(_has_data, each))


def _has_data(event: str) -> bool:
    return event.startswith("data: ")
