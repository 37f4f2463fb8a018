"""Asker, to make the calls of one run and tell each as events: what was sent, what came of it, what it took."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import field, replace
from functools import partial
from itertools import count
from typing import Any

from smoadsl.adapters.alarm import Alarm, Clock
from smoadsl.adapters.base import Fault, FaultKind, Message, OnText, Reply, Usage
from smoadsl.adapters.tape import taped
from smoadsl.adapters.values import model_of, value
from smoadsl.adapters.words import size_of_all
from smoadsl.calls.attempt import CACHED, Ask, Attempt, OnAttempt
from smoadsl.calls.budget import Budget, Exhausted
from smoadsl.calls.caller import Caller
from smoadsl.calls.route import Route
from smoadsl.plan.plan import Call
from smoadsl.runtime import events
from smoadsl.runtime.meter import Books, Meter
from smoadsl.runtime.seeds import seed_for
from smoadsl.runtime.sharing import Numbered

_RUNS = count(1)  # whoever asks through one session is told apart by these, and takes turns
_NO_ALARM = nullcontext()
Emit = Callable[[events.Event], None]


@value(frozen=True, slots=True)
class Place:
    """Where in a run a call is made, and on whose behalf; `labels` name the agents behind neutral ids, `samples` those
    who share the answers of one request."""

    purpose: events.Purpose
    agent: str
    layer: str = ""
    round: int = 0
    repair: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()


class Asker:
    """Makes calls in a run. `within` gives one that spends from a pipeline's own budget as well."""

    def __init__(
        self,
        caller: Caller,
        emit: Emit,
        seed: str,
        budget: Budget | None = None,
        row: Mapping[str, Any] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._caller = caller
        self._emit = emit
        self._seed = seed
        self._owner = f"run {next(_RUNS)}"
        self._loop = asyncio.get_running_loop() if loop is None else loop
        self._time = self._loop.time
        self._books = Books(self._time())
        self._row = row or {}
        self._clocks: dict[float, Clock] = {}
        self._degraded: list[str] = []
        self.budget = budget

    def within(self, budget: Budget) -> "Asker":
        inner = Asker.__new__(Asker)
        inner.__dict__ |= self.__dict__  # the books too: what is counted there is counted here
        inner.budget = budget
        return inner

    def close(self) -> None:
        """No call is made any more, here or within."""
        for clock in self._clocks.values():
            clock.stop()

    @property
    def time(self) -> float:
        """The event loop's time, in seconds."""
        return self._time()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self._time() - self._books.begun

    @property
    def totals(self) -> events.Totals:
        return self._books.totals(self.now)

    @property
    def spent(self) -> str:
        """Why no new call is made; empty while some may be."""
        return self.budget.spent if self.budget else ""

    @property
    def degraded(self) -> tuple[str, ...]:
        """What has not gone as it was written."""
        return tuple(self._degraded)

    def tell(self, event: Callable[..., events.Event], **values: Any) -> None:
        self._emit(event(at_s=self.now, **values))

    def tell_piece(self, text: str) -> None:
        """Tell a piece of the answer as it comes."""
        self._emit(model_of(events.AnswerPiece, at_s=self.now, type="answer_piece", text=text))

    def degrade(self, layer: str, round_: int, why: str) -> None:
        """Tell that the run goes on, but not as it was written."""
        self._degraded.append(why)
        self.tell(events.Degraded, layer=layer, round=round_, why=why)

    async def ask(
        self,
        place: Place,
        call: Call,
        messages: tuple[Message, ...],
        schema: Mapping[str, Any] | None = None,
        on_text: OnText | None = None,
        last: bool = False,
    ) -> tuple[int, Reply]:
        """The call's number and its reply. `last`: the aggregate's, for which the budget has kept something.

        Raises `Fault` when no attempt brought a reply, or when the budget holds none.
        """
        n, books, budget = len(place.samples) or 1, self._books, self.budget
        size = size_of_all(messages)
        routes = self._seeded(call.routes, place)
        meter = Meter(books, budget, last, size, schema)
        deadline_at = None
        if budget is not None:
            deadline_at = budget.deadline(last)
            try:
                late = deadline_at is not None and self._time() >= deadline_at
                meter.open(late, routes[0], n)
            except Exhausted as exhausted:
                raise Fault(FaultKind.LOCAL, str(exhausted)) from None
        books.calls = number = books.calls + 1
        self._tell_start(number, place, call, messages)
        sample = f"{place.agent}\x00{place.layer}\x00{place.round}"
        ask = Ask(messages, size, schema, str(number), self._owner, sample, deadline_at, n, self._row)
        attempted: OnAttempt = partial(self._attempted, number)
        if n > 1:
            attempted = Numbered(attempted)
        try:
            with _NO_ALARM if deadline_at is None else Alarm(self._clock(deadline_at), self._loop):
                _, reply = await self._caller.call(routes, ask, meter, attempted, on_text)
            if isinstance(attempted, Numbered):
                reply = await self._completed(reply, routes, ask, meter, attempted)
        except asyncio.CancelledError:
            self.tell(events.CallFailed, call=number, kind="cancelled", message="not waited for any longer")
            raise
        except (Fault, Exhausted, TimeoutError) as failed:
            fault = failed if isinstance(failed, Fault) else self._out_of_budget(failed, last)
            self.tell(events.CallFailed, call=number, kind=fault.kind.value, message=fault.message)
            raise fault from None
        finally:
            meter.close()
        self._tell_end(number, reply)
        if lost := reply.lost_events:
            what = f"{lost} event{'s' * (lost != 1)} of the answer of {place.agent}"
            self.degrade(place.layer, place.round, f"{what} could not be read: a piece of it may be missing")
        return number, reply

    def _clock(self, at: float) -> Clock:
        """The one timer for all calls that must end at the same time."""
        if at not in self._clocks:
            self._clocks[at] = Clock(at)
        return self._clocks[at]

    async def _completed(
        self, reply: Reply, routes: Sequence[Route], ask: Ask, meter: Meter, attempted: Numbered
    ) -> Reply:
        """All the answers to a call. Those that were cut or refused are asked for once more; where that brings nothing,
        those that are there count, and its fault is the last of the reply's."""
        missing, at = ask.n - 1 - len(reply.others), ask.deadline_at
        if not missing:
            return reply
        attempted.go_on()
        try:
            with _NO_ALARM if at is None else Alarm(self._clock(at), self._loop):
                _, more = await self._caller.call(routes, replace(ask, n=missing), meter, attempted)
        except (Fault, Exhausted, TimeoutError) as failed:
            fault = failed if isinstance(failed, Fault) else self._out_of_budget(failed, last=False)
            return replace(reply, faults=(*reply.faults[:-1], fault))
        return _together(reply, more)

    def _out_of_budget(self, failed: Exhausted | TimeoutError, last: bool) -> Fault:
        """The fault of a call that the budget, or its time, cut off."""
        timed = self.budget is not None and isinstance(failed, TimeoutError)
        return Fault(FaultKind.LOCAL, str(self.budget.time_is_up(last) if self.budget and timed else failed))

    def _seeded(self, routes: Sequence[Route], place: Place) -> Sequence[Route]:
        """A model's seed is mixed with agent and round, so that equal models do not answer alike."""
        seeded = routes
        for at, route in enumerate(routes):
            if (seed := route.sampling.seed) is not None:
                mixed = seed_for(self._seed, seed, place.agent, place.layer, place.round)
                other = replace(route, sampling=replace(route.sampling, seed=mixed))
                seeded = [*seeded[:at], other, *seeded[at + 1 :]]
        return seeded

    # Events of every call are made without a detour: there are many. Their fields come in the order of the class.

    def _tell_start(self, number: int, place: Place, call: Call, messages: tuple[Message, ...]) -> None:
        self._emit(
            model_of(
                events.CallStarted,
                at_s=self._time() - self._books.begun,
                type="call_started",
                call=number,
                purpose=place.purpose,
                agent=place.agent,
                model=call.model,
                layer=place.layer,
                round=place.round,
                repair=place.repair,
                messages=messages,
                labels=dict(place.labels),
                references=place.references,
                samples=place.samples,
            )
        )

    def _tell_end(self, number: int, reply: Reply) -> None:
        usage = reply.usage
        self._emit(
            model_of(
                events.CallSucceeded,
                at_s=self._time() - self._books.begun,
                type="call_succeeded",
                call=number,
                text=reply.text,
                others=tuple([other.text for other in reply.others]) if reply.others else (),
                finish=reply.finish,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cached_tokens=usage.cached_tokens,
                estimated=usage.estimated,
                model=reply.model,
            )
        )

    def _attempted(self, number: int, attempt: Attempt) -> None:
        if attempt.outcome != CACHED:
            self._books.attempts += 1
        answer = attempt.answer
        self._emit(
            model_of(
                events.CallAttempted,
                at_s=self._time() - self._books.begun,
                type="call_attempted",
                call=number,
                attempt=attempt.number,
                route=attempt.by.name,
                outcome=attempt.outcome,
                message=attempt.message,
                status=answer.status if isinstance(answer, Fault) else None,
                elapsed_s=attempt.elapsed_s,
                wait_s=attempt.wait_s,
                next_route=attempt.next_route,
                why=attempt.why,
                queued_s=attempt.queued_s,
                received_bytes=0 if answer is None else answer.exchange.received_bytes,
                answer=None if answer is None else taped(answer),
                shown=attempt.shown,
                text_after_s=attempt.text_after_s,
            )
        )


def _together(reply: Reply, more: Reply) -> Reply:
    """The answers of two requests as those of one."""
    one, two = reply.usage, more.usage
    usage = Usage(
        one.input_tokens + two.input_tokens,
        one.output_tokens + two.output_tokens,
        one.estimated or two.estimated,
        one.cached_tokens + two.cached_tokens,
        one.reasoning_tokens + two.reasoning_tokens,
        one.written_tokens + two.written_tokens,
    )
    lost = reply.lost_events + more.lost_events
    return replace(reply, usage=usage, others=(*reply.others, *more.answers), faults=more.faults, lost_events=lost)
