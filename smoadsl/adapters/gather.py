"""Gather, to put one reply together out of what comes in whatever protocol, or to say why it is none."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, NamedTuple

import orjson

from smoadsl.adapters.base import JSON, Choice, Connection, Exchange, Fault, FaultKind, Finish, OnText, Reply, Request
from smoadsl.adapters.http_faults import inner_fault
from smoadsl.adapters.lines import Event
from smoadsl.adapters.usage import Counts, usage_of
from smoadsl.adapters.words import one_line, redacted
from smoadsl.classes import dataclass

_LOST_LIMIT = 3


class Misshapen(Exception):
    """JSON, but not the JSON of the protocol."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How one protocol tells of an answer.

    `name` is what a body is called in a sentence. `endings` says what each word for an answer's end means, in lower
    case: a finish, or the kind of fault that stands in its place. `take_body` and `take_event` tell a `Gathering` what
    a whole body or one event says, and raise `Misshapen` where it can not be read; an event gives whether it brought
    anything to wait for. `last` is the data of an event that says that nothing follows. `may_go_on`: text can follow
    after the word for the end, so that only the stream's own end is one. `pieces` gives what reads, in one stream,
    many events at once that bring nothing but text: those that stand there from a place on, each with the empty line
    behind it. `plain` reads a body that holds one whole text and its count, and nothing besides, as most do: it gives
    the reply that a `Gathering` would come to, or None for all that is less plain.
    """

    name: str
    endings: Mapping[str, Finish | FaultKind]
    take_body: Callable[["Gathering", dict[str, JSON]], None]
    take_event: Callable[["Gathering", dict[str, JSON]], bool]
    last: str = ""
    may_go_on: bool = False
    pieces: Callable[[], Callable[[str, int], "Pieces"]] = lambda: _no_pieces
    plain: Callable[[Request, JSON, Exchange], Reply | None] = lambda request, body, exchange: None


class Pieces(NamedTuple):
    """What events say that bring nothing but text: how many they are, where the next event begins, what they say, and
    the model's name."""

    taken: int
    following: int
    text: str
    model: str


def _no_pieces(events: str, place: int) -> Pieces:
    return Pieces(0, place, "", "")


@dataclass(slots=True)
class Draft:
    """One answer as far as it has come. `reason` is the provider's word for its end."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: str = ""
    reason: str = ""
    ended: bool = False


class Gathering:
    """What has come so far of the answers to one request."""

    def __init__(self, connection: Connection, request: Request, wire: Wire, on_text: OnText | None = None) -> None:
        self.model = ""
        self.counts = Counts()
        self.streamed = False  # a piece was handed on
        self.done = False  # the provider has said that nothing follows
        self._whole = False  # and this, that all has come
        self._connection = connection
        self._request = request
        self._wire = wire
        self._pieces = wire.pieces()
        self._on_text = on_text
        self._drafts = [Draft() for _ in range(request.n)]
        self._lost = 0

    # ---- what the adapter feeds in

    def take_whole(self, body: JSON) -> None:
        """Take a body that is the whole answer. It is whole even without a word for its end, as its JSON is."""
        self._refuse_error(body)
        self._on_text = None
        try:
            if not isinstance(body, dict):
                raise Misshapen
            self._wire.take_body(self, body)
        except Misshapen:
            raise self._fault(FaultKind.BAD_BODY, f"sent JSON that is not a {self._wire.name}") from None
        self.finish()

    def take_pieces(self, events: str, place: int) -> tuple[int, int]:
        """Take the events from that place on that bring nothing but text: how many, and where the next one begins."""
        if len(self._drafts) > 1 or self.finished:
            return 0, place
        count, following, text, model = self._pieces(events, place)
        if count:
            self.model = model or self.model
            self.says(0, text)
        return count, following

    def take_event(self, event: Event) -> bool:
        """Take one event of a stream. True if it brought something to wait for, which a ping does not."""
        data = event.data.strip()
        if not data:
            return False
        if data == self._wire.last:
            self.finish()
            return True
        try:
            body = orjson.loads(data)
            if not self.finished:
                self._refuse_error(body)
            if not isinstance(body, dict):
                raise Misshapen
            return self._wire.take_event(self, body) or self.settled
        except (orjson.JSONDecodeError, Misshapen):
            self._lose(event)
            return False

    # ---- what the protocol has found in it

    def says(self, index: int, text: str) -> None:
        """A piece of the answer with that number."""
        draft = self._draft(index)
        if draft is None or not text:
            return
        draft.text.append(text)
        draft.ended = False
        if index == 0 and self._on_text is not None:
            self.streamed = True
            self._on_text(text)

    def thinks(self, index: int, text: str) -> None:
        """A piece of what the model thought before it answered."""
        if draft := self._draft(index):
            draft.reasoning.append(text)

    def refuses(self, index: int, words: str) -> None:
        """A piece of what stands where the answer would."""
        if draft := self._draft(index):
            draft.refusal += words

    def blocked(self, words: str) -> None:
        """What stands where all of the answers would."""
        for draft in self._drafts:
            draft.refusal = words

    def ends(self, index: int, reason: JSON, *, whole: bool = True) -> None:
        """The word for the end of an answer. Without `whole`, another sign must come before it is one."""
        draft = self._draft(index)
        if draft is not None and isinstance(reason, str) and reason:
            draft.reason, draft.ended = reason.lower(), whole

    def finish(self) -> None:
        """All has come, and nothing follows."""
        self._whole = self.done = True

    def error(self, error: JSON) -> None:
        """An error in the place of an answer, or in the middle of one."""
        self._refuse_error({"error": error})

    # ---- what comes of it

    @property
    def finished(self) -> bool:
        """Each answer that was asked for has been said to be whole."""
        for draft in self._drafts:
            if not draft.ended:
                return self._whole
        return True

    @property
    def settled(self) -> bool:
        """The same, and none of them can go on."""
        return self.finished and not self._wire.may_go_on

    @property
    def reasons(self) -> tuple[str, ...]:
        """The word for the end of each answer, as far as there is one."""
        return tuple(draft.reason for draft in self._drafts)

    def reply(self, exchange: Exchange) -> Reply:
        """The reply, once all has come; or the fault that stands in its place."""
        answers: list[Choice] = []
        faults: list[Fault] = []
        for draft in self._drafts:
            outcome = self._outcome(draft)
            if isinstance(outcome, Fault):
                faults.append(outcome)
            else:
                answers.append(outcome)
        if not answers:
            raise faults[0]
        first, *others = answers
        return Reply(
            text=first.text,
            finish=first.finish,
            usage=usage_of(self._request, self._everything, self.counts),
            model=self.model or self._request.model,
            lost_events=self._lost,
            reasoning=first.reasoning,
            others=tuple(others),
            faults=tuple(faults),
            exchange=exchange,
        )

    def _everything(self) -> str:
        """All that was written, for who has to count it."""
        return "".join(piece for draft in self._drafts for piece in (*draft.reasoning, *draft.text))

    def _outcome(self, draft: Draft) -> Choice | Fault:
        text = "".join(draft.text)
        ending = self._wire.endings.get(draft.reason, "unknown")
        if draft.refusal or ending is FaultKind.REFUSED:
            words = one_line(redacted(draft.refusal, self._connection)) or f"finish reason {draft.reason}"
            return self._fault(FaultKind.REFUSED, f"refused to answer: {words}")
        whole = draft.ended or self._whole
        if not whole and self._lost:
            return self._fault(FaultKind.BAD_BODY, "sent a stream with unreadable events and without an end")
        if not whole or ending is FaultKind.TRUNCATED:
            return self._fault(FaultKind.TRUNCATED, "ended its answer without saying that it is whole")
        if not text.strip() or isinstance(ending, FaultKind):
            return self._fault(FaultKind.EMPTY, self._why_empty(ending))
        return Choice(text, ending, "".join(draft.reasoning))

    def _why_empty(self, ending: Finish | FaultKind) -> str:
        if ending == "length":
            return f"spent all {self._request.sampling.max_tokens} tokens without writing any text"
        if ending is FaultKind.EMPTY:
            return "asked for a tool instead of answering"
        return "sent an answer without text"

    # ---- small help

    def _draft(self, index: int) -> Draft | None:
        """The answer of that number, while it can take more. Others were not asked for, and are passed over."""
        if self._whole or not 0 <= index < len(self._drafts):
            return None
        draft = self._drafts[index]
        return None if draft.ended and not self._wire.may_go_on else draft

    def _lose(self, event: Event) -> None:
        if self.settled or not event.ended:
            return
        self._lost += 1
        if self._lost > _LOST_LIMIT:
            raise self._fault(FaultKind.BAD_BODY, f"sent a stream with more than {_LOST_LIMIT} unreadable events")

    def _refuse_error(self, body: JSON) -> None:
        if isinstance(body, dict) and body.get("error"):
            billed = any(draft.text or draft.reasoning for draft in self._drafts)
            raise inner_fault(self._connection, body, billed)

    def _fault(self, kind: FaultKind, what: str) -> Fault:
        return Fault(kind, f"{self._connection.provider} {what}", billed=True)


def text_of(value: Any) -> str:
    """A field that holds text or nothing."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Misshapen
    return value


def part_of(value: Any, kind: type) -> Any:
    """A field that holds an object or a list, or nothing: then an empty one."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise Misshapen
    return value
