"""Asker, to make the calls of one run and tell each as events: what was sent, what came of it, what it took."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from smoadsl.adapters.base import Fault, FaultKind, Message, OnText, Reply, Usage
from smoadsl.calls.budget import Budget, Cost, Deadline, Exhausted
from smoadsl.calls.caller import Ask, Attempt, Caller
from smoadsl.calls.price import Price
from smoadsl.calls.route import Route
from smoadsl.plan.plan import Call
from smoadsl.runtime import events
from smoadsl.runtime.seeds import seed_for

Emit = Callable[[events.Event], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a run a call is made, and on whose behalf; `labels` name the agents behind neutral ids."""

    purpose: events.Purpose
    agent: str
    layer: str = ""
    round: int = 0
    repair: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()


@dataclass
class _Books:
    """What all pipelines of a run share."""

    begun: float
    totals: events.Totals = field(default_factory=events.Totals)

    def add(self, **amounts: float) -> events.Totals:
        update = {name: getattr(self.totals, name) + amount for name, amount in amounts.items()}
        self.totals = self.totals.model_copy(update=update)
        return self.totals

    def flag(self, **flags: bool) -> None:
        self.totals = self.totals.model_copy(update={name: True for name, is_so in flags.items() if is_so})


class Asker:
    """Makes calls in a run. `within` gives one that spends from a pipeline's own budget as well."""

    def __init__(self, caller: Caller, emit: Emit, seed: str) -> None:
        self._caller = caller
        self._emit = emit
        self._seed = seed
        self._books = _Books(asyncio.get_running_loop().time())
        self.budget: Budget | None = None

    def within(self, budget: Budget) -> "Asker":
        inner = Asker(self._caller, self._emit, self._seed)
        inner._books, inner.budget = self._books, budget
        return inner

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return asyncio.get_running_loop().time() - self._books.begun

    @property
    def totals(self) -> events.Totals:
        return self._books.totals.model_copy(update={"seconds": self.now})

    @property
    def spent(self) -> str:
        """Why no new call is made; empty while some may be."""
        return self.budget.spent if self.budget else ""

    def tell(self, event: Callable[..., events.Event], **values: Any) -> None:
        self._emit(event(at_s=self.now, **values))

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
        meter = _Meter(self._books, self.budget, last, cost_at_most(call, messages, schema))
        deadline = self.budget.deadline(last) if self.budget else None
        try:
            meter.open(deadline is not None and asyncio.get_running_loop().time() >= deadline.at)
        except Exhausted as exhausted:
            raise Fault(FaultKind.LOCAL, str(exhausted)) from None
        number = self._books.add(calls=1).calls
        told = {name: getattr(place, name) for name in ("purpose", "agent", "layer", "round", "repair", "references")}
        self.tell(
            events.CallStarted, call=number, model=call.model, messages=messages, labels=dict(place.labels), **told
        )
        routes = [self._seeded(route, place) for route in call.routes]
        ask = Ask(messages, schema, str(number))

        def attempted(attempt: Attempt) -> None:
            if attempt.billed:
                meter.failed()
            self._attempted(number, attempt)

        try:
            async with asyncio.timeout_at(deadline.at if deadline else None):
                route, reply = await self._caller.call(routes, ask, meter.sent, attempted, on_text)
            meter.answered(reply.usage, route.price)
        except asyncio.CancelledError:
            self.tell(events.CallFailed, call=number, kind="cancelled", message="not waited for any longer")
            raise
        except (Fault, Exhausted, TimeoutError) as failed:
            fault = failed if isinstance(failed, Fault) else _out_of_budget(failed, deadline)
            self.tell(events.CallFailed, call=number, kind=fault.kind.value, message=fault.message)
            raise fault from None
        finally:
            meter.close()
        usage = reply.usage
        self.tell(
            events.CallSucceeded,
            call=number,
            text=reply.text,
            finish=reply.finish,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            estimated=usage.estimated,
            model=reply.model,
        )
        return number, reply

    def _seeded(self, route: Route, place: Place) -> Route:
        """A model's seed is mixed with agent and round, so that equal models do not answer alike."""
        seed = route.sampling.seed
        if seed is None:
            return route
        mixed = seed_for(self._seed, seed, place.agent, place.layer, place.round)
        return replace(route, sampling=replace(route.sampling, seed=mixed))

    def _attempted(self, number: int, attempt: Attempt) -> None:
        self._books.add(attempts=1)
        self.tell(
            events.CallAttempted,
            call=number,
            attempt=attempt.number,
            route=attempt.route,
            outcome=attempt.outcome,
            message=attempt.message,
            status=attempt.status,
            elapsed_s=attempt.elapsed_s,
            wait_s=attempt.wait_s,
            next_route=attempt.next_route,
        )


class _Meter:
    """Counts what one call takes, attempt by attempt: in the run's books, and in the budget. An attempt that brought no
    answer but may be billed is charged at its worst case, and the next needs as much again."""

    def __init__(self, books: _Books, budget: Budget | None, last: bool, most: "Worst") -> None:
        self._books = books
        self._budget = budget
        self._last = last
        self._most = most
        self._held = Cost()

    def open(self, late: bool) -> None:
        """Reserve the call before it begins. Raises `Exhausted`."""
        if self._budget is None:
            return
        if late:
            deadline = self._budget.deadline(self._last)
            assert deadline is not None
            raise deadline.budget.time_is_up()
        self._hold(Cost(1) + self._most.cost)

    def sent(self) -> None:
        """An attempt begins. Raises `Exhausted` when one before it was billed and the budget holds no other."""
        if self._budget is not None and self._held == Cost():
            self._hold(self._most.cost)

    def failed(self) -> None:
        """An attempt brought no answer and may be billed: what was reserved for it is spent."""
        most = self._most
        self._books.add(input_tokens=most.input_tokens, output_tokens=most.output_tokens, usd=float(most.cost.usd))
        self._books.flag(estimated=True, unpriced=not most.is_priced)
        self._held = Cost()

    def answered(self, usage: Usage, price: Price | None) -> None:
        """The call has its reply. What the provider did not count stays reserved as it was."""
        usd = price.of(usage) if price else Decimal(0)
        self._books.add(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, usd=float(usd))
        self._books.flag(estimated=usage.estimated, unpriced=price is None)
        if not usage.estimated:
            self._give_back(Cost(0, usage.input_tokens + usage.output_tokens, usd))
        self._held = Cost()

    def close(self) -> None:
        """Nothing more comes of the call."""
        self._give_back(Cost())

    def _hold(self, cost: Cost) -> None:
        assert self._budget is not None
        self._budget.reserve(cost, self._last)
        self._held = Cost(0, cost.tokens, cost.usd)  # a call that has begun stays one

    def _give_back(self, actual: Cost) -> None:
        if self._budget is not None and self._held != Cost():
            self._budget.settle(self._held, actual)
        self._held = Cost()


@dataclass(frozen=True, slots=True)
class Worst:
    """The most that one attempt of a call can take."""

    input_tokens: int
    output_tokens: int
    usd: Decimal
    is_priced: bool

    @property
    def cost(self) -> Cost:
        return Cost(0, self.input_tokens + self.output_tokens, self.usd)


def cost_at_most(
    call: Call, messages: tuple[Message, ...], schema: Mapping[str, Any] | None = None, more_input_tokens: int = 0
) -> Worst:
    """The worst case of a call: its input counted as one token for two bytes, and all that it may answer."""
    texts = [message.content for message in messages] + ([json.dumps(schema)] if schema else [])
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    input_tokens = size // 2 + 1 + more_input_tokens
    prices = [r.price.of(Usage(input_tokens, r.sampling.max_tokens)) for r in call.routes if r.price]
    return Worst(input_tokens, call.max_tokens, max(prices, default=Decimal(0)), len(prices) == len(call.routes))


def _out_of_budget(failed: Exhausted | TimeoutError, deadline: Deadline | None) -> Fault:
    """The fault of a call that the budget, or its time, cut off."""
    why = deadline.budget.time_is_up() if deadline and isinstance(failed, TimeoutError) else failed
    return Fault(FaultKind.LOCAL, str(why))
