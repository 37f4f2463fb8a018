"""An OpenAI answer, to gather a whole body or a stream of events into one reply, or to say why it is none."""

from collections.abc import Mapping

import orjson

from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind, Finish, OnText, Reply, Request
from smoadsl.adapters.http_faults import status_fault, words_of_error
from smoadsl.adapters.sse import Event
from smoadsl.adapters.usage import usage_of
from smoadsl.adapters.words import one_line, redacted

_LOST_LIMIT = 3

_FINISHES: Mapping[str, Finish] = {
    "stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length",
}  # fmt: skip
_REFUSED = frozenset({"content_filter", "safety", "refusal"})
_BROKEN_OFF = frozenset({"error", "abort", "cancelled"})

# An error that comes inside a good status has at most a word for a status: this is the status it stands for.
_WORD_STATUS = {
    "invalid_request_error": 400, "context_length_exceeded": 400, "content_policy_violation": 400,
    "authentication_error": 401, "invalid_api_key": 401, "permission_error": 403, "billing_error": 402,
    "not_found_error": 404, "model_not_found": 404, "rate_limit_error": 429, "rate_limit_exceeded": 429,
    "insufficient_quota": 429, "overloaded_error": 529, "overloaded": 529, "timeout_error": 504,
}  # fmt: skip
_UNNAMED_STATUS = 500


class _Misshapen(Exception):
    """JSON, but not the JSON of a chat completion."""


class ChatAnswer:
    """What has come so far of choice 0. Other choices were not asked for and are passed over."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self.finished = False  # the provider has said that the answer is whole
        self.done = False  # and that nothing follows
        self.streamed = False
        self._connection = connection
        self._request = request
        self._pieces: list[str] = []
        self._refusal = ""
        self._reason = ""
        self._lost = 0
        self._model = ""
        self._usage: Mapping[str, JSON] = {}

    def take_whole(self, body: JSON) -> None:
        """Take a body that is the whole answer. It is whole even without a reason, as its JSON is."""
        self._refuse_error(body)
        try:
            if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
                raise _Misshapen
            self._take(body, "message")
        except _Misshapen:
            raise self._fault(FaultKind.BAD_BODY, "sent JSON that is not a chat completion") from None
        self.finished = True

    def take_event(self, event: Event, on_text: OnText) -> bool:
        """Take one event of a stream. True if it brought something to wait for, which a ping does not."""
        data = event.data.strip()
        if not data:
            return False
        if data == "[DONE]":
            self.done = self.finished = True
            return True
        try:
            body = orjson.loads(data)
            if not self.finished:
                self._refuse_error(body)
            if not isinstance(body, dict):
                raise _Misshapen
            text, brought = self._take(body, "delta")
        except (orjson.JSONDecodeError, _Misshapen):
            self._lose(event)
            return False
        if text:
            self.streamed = True
            on_text(text)
        return brought

    def reply(self) -> Reply:
        """The reply, once all has come; or the fault that stands in its place."""
        text = "".join(self._pieces)
        if self._refusal or self._reason in _REFUSED:
            words = one_line(redacted(self._refusal, self._connection)) or f"finish reason {self._reason}"
            raise self._fault(FaultKind.REFUSED, f"refused to answer: {words}")
        if not self.finished and self._lost:
            raise self._fault(FaultKind.BAD_BODY, "sent a stream with unreadable events and without an end")
        if not self.finished or self._reason in _BROKEN_OFF:
            raise self._fault(FaultKind.TRUNCATED, "ended its answer without saying that it is whole")
        if not text.strip():
            raise self._fault(FaultKind.EMPTY, self._why_empty())
        usage = usage_of(self._request, text, self._usage.get("prompt_tokens"), self._usage.get("completion_tokens"))
        model = self._model or self._request.model
        return Reply(text, _FINISHES.get(self._reason, "unknown"), usage, model, lost_events=self._lost)

    def _take(self, body: dict[str, JSON], part: str) -> tuple[str, bool]:
        """Take what a body or an event says. Gives its text, and whether it brought anything at all."""
        if isinstance(model := body.get("model"), str) and model:
            self._model = model
        if isinstance(usage := body.get("usage"), dict):
            self._usage = usage
        choice = _choice_0(body.get("choices"))
        if choice is None or self.finished:
            return "", False
        self._refuse_error(choice)
        said = choice.get(part)
        if said is None:
            said = {}
        if not isinstance(said, dict):
            raise _Misshapen
        text = _text(said.get("content"))
        self._pieces.append(text)
        if isinstance(refusal := said.get("refusal"), str):
            self._refusal += refusal
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self._reason, self.finished = reason.lower(), True
        return text, self.finished or any(value for key, value in said.items() if key != "role")

    def _lose(self, event: Event) -> None:
        if self.finished or not event.ended:
            return
        self._lost += 1
        if self._lost > _LOST_LIMIT:
            raise self._fault(FaultKind.BAD_BODY, f"sent a stream with more than {_LOST_LIMIT} unreadable events")

    def _refuse_error(self, body: JSON) -> None:
        if isinstance(body, dict) and (error := body.get("error")):
            billed = any(self._pieces)
            raise status_fault(self._connection, _inner_status(error), words_of_error(body), {}, billed, body)

    def _why_empty(self) -> str:
        if _FINISHES.get(self._reason) == "length":
            return f"spent all {self._request.sampling.max_tokens} tokens without writing any text"
        if self._reason in ("tool_calls", "function_call"):
            return "asked for a tool instead of answering"
        return "sent an answer without text"

    def _fault(self, kind: FaultKind, what: str) -> Fault:
        return Fault(kind, f"{self._connection.provider} {what}", billed=True)


def _choice_0(choices: JSON) -> dict[str, JSON] | None:
    if choices is None:
        return None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise _Misshapen
    return next((choice for choice in choices if choice.get("index", 0) in (0, None)), None)


def _text(content: JSON) -> str:
    """The text of a content, which some providers cut into parts."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "".join(_text(part.get("text")) if isinstance(part, dict) else _text(part) for part in content)
    raise _Misshapen


def _inner_status(error: JSON) -> int:
    """The status that an error inside a body stands for."""
    if not isinstance(error, dict):
        return _UNNAMED_STATUS
    for word in (error.get("code"), error.get("status"), error.get("type")):
        number = int(word) if isinstance(word, str) and word.isascii() and word.isdecimal() and len(word) == 3 else word
        if type(number) is int and 300 <= number <= 999:
            return number
        if isinstance(word, str) and word.lower() in _WORD_STATUS:
            return _WORD_STATUS[word.lower()]
    return _UNNAMED_STATUS
