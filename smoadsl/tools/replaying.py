"""Replaying, to run again what a trace holds: its plan and prompt, with its answers, each at the time it came at.

Nothing is taken from the trace but what came from outside. All else is worked out anew and held against it.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any

import orjson

from smoadsl.adapters.base import Adapter, Connection, Exchange, Fault, FaultKind, OnText, Reply, Request
from smoadsl.adapters.scripted import words
from smoadsl.adapters.tape import digest, untaped
from smoadsl.calls.attempt import CACHED, HEDGE_LOST
from smoadsl.calls.route import Provider, Route
from smoadsl.classes import dataclass
from smoadsl.runtime import events
from smoadsl.runtime.conversation import Conversation
from smoadsl.runtime.executor import Answer, RunError
from smoadsl.tools import api
from smoadsl.tools.virtual_clock import Standstill, advance, run_virtually

_UNANSWERED = ("cancelled", HEDGE_LOST)
_TOGETHER_S = (0.005, 0.0, 0.02, 0.1)  # how close to one another answers may have come to be seen at once
_CLOCK_S = 1e-9  # timers that are closer than this go off in one pass of the loop
_TIMES = ("at_s", "elapsed_s", "queued_s", "text_after_s")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a run that was made again. `astray` says where it did not go as the trace does, empty if it did;
    `answer` is None where the run has none."""

    answer: Answer | None
    astray: str


def replay(told: Sequence[events.Event], on_event: Callable[[events.Event], None] = lambda _: None) -> Replayed:
    """Make the run again whose events are `told`, on a virtual clock. Raises `ValueError` for a trace that keeps too
    little for it.

    A trace does not say which answers a busy machine saw at once. So several readings are tried, and the run is the
    same if it is in one of them; `on_event` is told of that one, else of the first."""
    tried: list[tuple[Replayed, _Kept]] = []
    for together_s in _TOGETHER_S:
        tried.append(_played(told, together_s))
        if not tried[-1][0].astray:
            break
    again, kept = tried[0] if tried[-1][0].astray else tried[-1]
    for event in kept.shown:
        on_event(event)
    return again


def _played(told: Sequence[events.Event], together_s: float) -> "tuple[Replayed, _Kept]":
    started = told[0]
    assert isinstance(started, events.RunStarted)
    kept = _Kept(told, together_s)
    run = api.run(
        started.plan,
        Conversation(started.messages, started.input),
        seed=started.seed,
        on_event=kept.hear,
        keyless=True,
        opener=kept.open,
        cache=kept,
        streams=True,  # as its plan says
    )
    answer: Answer | None = None
    with suppress(RunError, Standstill):  # the first is an event, the second shows in what is lacking
        answer = run_virtually(run)
    return Replayed(answer, kept.astray or _difference(told, kept.heard)), kept


@dataclass(slots=True)
class _Call:
    """A call of the trace: `waves` are the attempts that were numbered together."""

    waves: list[list[events.CallAttempted]] = field(default_factory=lambda: [[]])

    def add(self, attempt: events.CallAttempted) -> None:
        if any(attempt.attempt == other.attempt for other in self.waves[-1]):
            self.waves.append([])
        self.waves[-1].append(attempt)
        self.waves[-1].sort(key=lambda one: one.attempt)

    def take(self, route: str) -> events.CallAttempted | None:
        """The next attempt on that route, which is then gone."""
        for wave in self.waves:
            for attempt in wave:
                if attempt.route == route:
                    wave.remove(attempt)
                    return attempt
        return None


class _Kept:
    """Answers in the place of every provider and of the cache, and hears what comes of it."""

    def __init__(self, told: Sequence[events.Event], together_s: float) -> None:
        self.shown: list[events.Event] = []
        self.heard: list[events.Event] = []  # but for pieces of the answer, which no trace has
        self.astray = ""
        self._told = told
        self._asked: dict[str, _Call] = {}  # by the number that a call has now
        self._calls = _calls(told)
        self._ends = _ends(told, together_s)

    def hear(self, event: events.Event) -> None:
        """Find the trace's call for each that begins, and set the clock by the trace as long as it says the same."""
        self.shown.append(event)
        if isinstance(event, events.AnswerPiece):
            return
        if isinstance(event, events.CallStarted):
            if same := self._calls[_place(event)]:
                self._asked[str(event.call)] = same.popleft()
            else:
                where = f"round {event.round} of {event.layer}" if event.layer else "the end"
                self._stray(f"it asks {event.model} for {event.agent} in {where} what the trace does not hold")
        if len(self.heard) < len(self._told):
            other = self._told[len(self.heard)]
            if other.type == event.type:
                advance(other.at_s)
        self.heard.append(event)

    def open(self, kind: str, connection: Connection) -> Adapter:
        return _Player(connection, self)

    async def find(self, provider: Provider, route: Route, request: Request, sample: str) -> Reply | None:
        """What a cache had answered."""
        call = self._asked.get(request.tag)
        if call is None or not call.waves[0] or call.waves[0][0].outcome != CACHED:
            return None
        attempt = call.waves[0].pop(0)
        assert attempt.answer is not None
        reply = untaped(attempt.answer)
        return reply if isinstance(reply, Reply) else None

    async def keep(
        self, provider: Provider, route: Route, request: Request, sample: str, reply: Reply, by: Route
    ) -> None:
        """Nothing is kept of a replay."""

    def attempt(self, tag: str, route: str) -> events.CallAttempted:
        """What came of the next attempt of a call. Raises `Fault` where the trace has none."""
        call = self._asked.get(tag)
        found = call.take(route) if call else None
        if found is None:
            message = f"it asks {route} once more than the trace does"
            self._stray(message)
            raise Fault(FaultKind.LOCAL, message)
        return found

    def ends_at(self, attempt: events.CallAttempted) -> float:
        """When the answer to an attempt comes."""
        return self._ends[attempt.at_s, attempt.call]

    def _stray(self, why: str) -> None:
        self.astray = self.astray or why


@dataclass(frozen=True, slots=True)
class _Player:
    """An adapter that answers as the trace does."""

    connection: Connection
    kept: _Kept

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """The recorded answer to this attempt, at the time it came at."""
        attempt = self.kept.attempt(request.tag, f"{self.connection.provider}/{request.model}")
        loop = asyncio.get_running_loop()
        pieces = deque(_pieces(attempt))
        if on_text is not None and attempt.text_after_s is not None:
            came_at = attempt.at_s - attempt.elapsed_s + attempt.text_after_s
            await asyncio.sleep(max(0.0, min(came_at - loop.time(), attempt.text_after_s)))
            on_text(pieces.popleft())
        if attempt.answer is None:
            never: asyncio.Future[Reply] = loop.create_future()
            return await never  # until nobody waits for it any longer
        wait_s = self.kept.ends_at(attempt) - loop.time()
        await asyncio.sleep(wait_s if wait_s > _CLOCK_S else 0.0)
        answer = untaped(attempt.answer)
        answer_exchange = Exchange(attempt.received_bytes)
        if isinstance(answer, Fault):
            if attempt.shown and on_text is not None and pieces:
                on_text(pieces.popleft())
            answer.exchange = answer_exchange
            raise answer
        if on_text is not None:
            for piece in pieces:
                on_text(piece)
        return Reply(**{name: getattr(answer, name) for name in _REPLY}, exchange=answer_exchange)

    async def aclose(self) -> None:
        """There is nothing to give back."""


def _pieces(attempt: events.CallAttempted) -> list[str]:
    """What was streamed of an attempt: the words of its answer, else something, as no trace keeps what."""
    answer = untaped(attempt.answer) if attempt.answer else None
    return words(answer.text) if isinstance(answer, Reply) else ["…"]


_REPLY = tuple(name for name in Reply.__slots__ if name != "exchange")


def _calls(told: Iterable[events.Event]) -> dict[str, deque[_Call]]:
    """The trace's calls by what is asked in which place, in the order in which they began. Raises `ValueError`."""
    calls: dict[str, deque[_Call]] = defaultdict(deque)
    numbered: dict[int, _Call] = {}
    for event in told:
        match event:
            case events.CallStarted():
                numbered[event.call] = _Call()
                calls[_place(event)].append(numbered[event.call])
            case events.CallAttempted() if event.call not in numbered:
                raise ValueError(f"it has an attempt of a call {event.call} that never began")
            case events.CallAttempted() if event.answer is None and event.outcome not in _UNANSWERED:
                raise ValueError(f"it does not hold what attempt {event.attempt} of call {event.call} brought")
            case events.CallAttempted():
                numbered[event.call].add(event)
            case _:
                pass
    return calls


def _ends(told: Iterable[events.Event], together_s: float) -> dict[tuple[float, int], float]:
    """When each answer comes, by when it came and to which call. Those that came together, before anything was made of
    the first of them, come in one pass of the loop again: else what the first one decides might cut the others off."""
    waves: list[list[events.CallAttempted]] = []
    is_open = False
    for event in told:
        match event:
            case events.CallAttempted() if event.answer is not None:
                if is_open and event.at_s - waves[-1][0].at_s < together_s:
                    waves[-1].append(event)
                else:
                    waves.append([event])
                is_open = True
            case events.CallSucceeded():
                pass
            case events.CallFailed() if event.kind != "cancelled":
                pass
            case _:
                is_open = False
    return {
        (event.at_s, event.call): wave[0].at_s + _CLOCK_S * place / (2 * len(wave))
        for wave in waves
        for place, event in enumerate(wave)
    }


def _place(call: events.CallStarted) -> str:
    return digest(call.model_dump(mode="json", exclude={"at_s", "call"}))


# ---- what was told against what is heard


def _difference(told: Sequence[events.Event], heard: Sequence[events.Event]) -> str:
    """Where two runs differ, in any order: what goes on at once may end in another one. Empty if they do not."""
    now, before = list(_timeless(heard)), list(_timeless(told))
    left = Counter(now)
    for number, (said, event) in enumerate(zip(before, told, strict=True), 1):
        if not left[said]:
            return f"line {number} of the trace, {event.type}, does not come again as it stands there"
        left[said] -= 1
    extra = next(iter(+left), "")
    return f"it has an event {orjson.loads(extra)['type']} that the trace does not hold" if extra else ""


def _timeless(told: Iterable[events.Event]) -> Iterator[str]:
    """Each event without times, its call named by what is asked and not by its number."""
    names: dict[int, str] = {}
    places: Counter[str] = Counter()
    for event in told:
        value: dict[str, Any] = event.model_dump(mode="json", exclude=set(_TIMES))
        if isinstance(event, events.CallStarted):
            place = _place(event)
            places[place] += 1
            names[event.call] = f"{place} {places[place]}"
        if "call" in value:
            value["call"] = names.get(value["call"], value["call"])
        if "seed" in value:
            value["seed"] = str(value["seed"])  # which may have more than 64 bits
        if "wait_s" in value:
            value["wait_s"] = value["wait_s"] is not None
        if "totals" in value:
            value["totals"] = {**value["totals"], "seconds": None, "usd": round(value["totals"]["usd"], 9)}
        yield orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
