"""Attempt, to send one request once and say exactly what came of it: a reply or a fault, what it took and how long."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, Protocol

from smoadsl.adapters.alarm import Alarm
from smoadsl.adapters.base import Fault, FaultKind, Message, OnText, Reply, Request, Usage
from smoadsl.adapters.values import value
from smoadsl.calls.budget import Exhausted
from smoadsl.calls.first_text import FirstText
from smoadsl.calls.keyless import keyless, keyless_fault
from smoadsl.calls.lane import TurnedAway
from smoadsl.calls.limits import weight_of
from smoadsl.calls.price import Price
from smoadsl.calls.route import Provider, Route
from smoadsl.calls.session import Session


@value(frozen=True, slots=True)
class Ask:
    """What is asked, whoever answers. `tag` says which call of a run it is, `owner` whose (callers take turns),
    `sample` which of several equal ones, so that a cache tells them apart; `deadline_at` is when it must have ended.
    `n`: how many answers one request is to bring. `row`: the fields of the row that is asked about, of which each route
    names those that it is given."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    tag: str = ""
    owner: str = ""
    sample: str = ""
    deadline_at: float | None = None
    n: int = 1
    row: Mapping[str, Any] = field(default_factory=dict)


_NOT_GIVEN: Mapping[str, Any] = {}


def request_of(route: Route, ask: Ask) -> Request:
    """What is sent where the route leads."""
    given = {name: ask.row[name] for name in route.reads if name in ask.row} if route.reads else _NOT_GIVEN
    return Request(route.model, ask.messages, route.sampling, ask.schema, ask.tag, ask.n, given)


class Bill(Protocol):
    """What one attempt has reserved of a budget."""

    def answered(self, usage: Usage, price: Price | None) -> None:
        """It brought a reply, which took so much."""

    def failed(self, billed: bool) -> None:
        """It brought none; `billed` says that the provider may charge for it all the same."""


class Account(Protocol):
    """Who pays for the attempts of one call."""

    def bill(self, max_tokens: int, extra: bool) -> Bill:
        """Reserve the worst case of an attempt that may answer so much. Raises `Exhausted`, and then takes nothing. An
        `extra` attempt is one that the call can do without: that it does not fit ends nothing else."""


@value(frozen=True, slots=True)
class Attempt:
    """What one attempt of a route came to. `outcome` is `ok`, the kind of fault, `cancelled`, `hedge_lost` or `cached`.

    `queued_s` was waited before it was sent; `sent`: it was not turned away before. `answer` is what came, None where
    nobody waited for it; `billed`: it failed, and the provider may charge for it; `text_after_s`: how long the first of
    its text took, where it was streamed; `shown`: a reader had seen a part of it when it failed. `why` gives the reason
    for what follows: `wait_s` until the same route is tried again, None where it is not, or `next_route`.
    """

    number: int
    by: Route
    outcome: str
    message: str
    elapsed_s: float
    queued_s: float = 0.0
    answer: Reply | Fault | None = None
    billed: bool = False
    text_after_s: float | None = None
    sent: bool = True
    why: str = ""
    wait_s: float | None = None
    next_route: str = ""
    shown: bool = False

    @property
    def route(self) -> str:
        return self.by.name

    @property
    def fault(self) -> Fault | None:
        return self.answer if isinstance(self.answer, Fault) else None

    def followed(self, why: str, wait_s: float | None = None, next_route: str = "", shown: bool = False) -> "Attempt":
        """The same with what follows."""
        return replace(self, why=why, wait_s=wait_s, next_route=next_route, shown=shown)


OnAttempt = Callable[[Attempt], None]


def _failed(
    number: int, by: Route, fault: Fault, elapsed_s: float, queued_s: float, text_after_s: float | None = None,
    sent: bool = True,
) -> Attempt:  # fmt: skip
    kind = fault.kind.value
    return Attempt(number, by, kind, fault.message, elapsed_s, queued_s, fault, fault.billed, text_after_s, sent)


@value(frozen=True, slots=True)
class Turn:
    """How an attempt takes its turn. `again`: it is not the call's first on this route. `extra`: the call can do
    without it, so that it is not sent where the budget does not hold it."""

    number: int
    patience: int = 0
    others: bool = False
    again: bool = False
    extra: bool = False


OK = "ok"
CACHED = "cached"

HEDGE_LOST = "hedge_lost"
"""The message with which the slower of two copies is cancelled."""

_CANCELLED = ("cancelled", "not waited for any longer")


class Attempts:
    """Makes the attempts of one call."""

    def __init__(self, session: Session, ask: Ask, account: Account, on_attempt: OnAttempt) -> None:
        self._session = session
        self._ask = ask
        self._account = account
        self._on_attempt = on_attempt

    async def make(
        self, route: Route, turn: Turn, on_sent: Callable[[], None] | None = None, on_text: OnText | None = None
    ) -> Attempt:
        """Wait for the route's turn, send the request once, and let the route and the budget learn of the end.

        Raises `Exhausted` when the budget does not hold what is needed. A cancellation is passed on, and told.
        """
        now = self._session.loop.time
        queued_at = now()
        ask, number = self._ask, turn.number
        request = request_of(route, ask)
        way = self._session.way(route)
        lane = way.lane
        try:
            weight = weight_of(request)
            leave = await way.gate.enter(lane, weight, ask.owner, turn.patience, turn.others, turn.again, queued_at)
        except TurnedAway as away:
            return _failed(number, route, _not_sent_again(away.fault), 0.0, now() - queued_at, sent=False)
        begun = now()
        queued_s = begun - queued_at
        within_s = route.ttft_s or way.provider.ttft_s
        first = None if within_s is None and on_text is None else FirstText(within_s, on_text)
        try:
            if not turn.again:
                lane.tries.called()
            bill = self._account.bill(request.n * route.sampling.max_tokens, turn.extra)
            reply = await self._send(route, way.provider, request, bill, on_sent, first)
        except Fault as fault:
            lane.failed(leave, fault, now())
            return _failed(number, route, fault, now() - begun, queued_s, first.after_s if first else None)
        except asyncio.CancelledError as cancelled:
            lane.let_go(leave, now())
            is_lost = HEDGE_LOST in cancelled.args
            outcome, why = (HEDGE_LOST, "the other copy was faster") if is_lost else _CANCELLED
            text_after_s = first.after_s if first else None
            self._on_attempt(Attempt(number, route, outcome, why, now() - begun, queued_s, None, True, text_after_s))
            raise
        except Exhausted as exhausted:
            lane.let_go(leave, now())
            if not turn.extra:
                raise
            return _failed(number, route, Fault(FaultKind.LOCAL, str(exhausted)), 0.0, queued_s, sent=False)
        except BaseException:
            lane.let_go(leave, now())
            raise
        else:
            ended_at = now()
            lane.answered(leave, reply, ended_at)
            text_after_s = None if first is None else first.after_s
            return Attempt(number, route, OK, "", ended_at - begun, queued_s, reply, False, text_after_s)
        finally:
            way.gate.leave(leave)

    async def _send(
        self,
        route: Route,
        provider: Provider,
        request: Request,
        bill: Bill,
        on_sent: Callable[[], None] | None,
        first: FirstText | None,
    ) -> Reply:
        timeout_s = route.timeout_s or provider.timeout_s
        try:
            adapter = self._session.adapter(provider.name)
            if on_sent is not None:
                on_sent()
            secrets = self._session.secrets(provider.name)
            with Alarm(self._session.countdown(timeout_s), self._session.loop):
                if first is None:
                    reply = keyless(await adapter.complete(request), secrets)
                else:
                    reply = keyless(await first.complete(adapter, request, secrets), secrets)
        except Fault as failed:
            fault = keyless_fault(failed, self._session.secrets(provider.name))
        except TimeoutError:
            what, within_s = ("text", first.within_s) if first and first.is_late else ("whole answer", timeout_s)
            fault = Fault(FaultKind.TIMEOUT, f"{provider.name} gave no {what} within {within_s:g} s", billed=True)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            bill.failed(billed=True)
            raise
        except BaseException as error:  # an adapter of another package: its mistakes fail one call, not the run
            fault = Fault(
                FaultKind.LOCAL, f"the adapter of {provider.name} failed with {type(error).__name__}", billed=True
            )
        else:
            bill.answered(reply.usage, route.price)
            return reply
        bill.failed(fault.billed)
        raise fault


def _not_sent_again(fault: Fault) -> Fault:
    """The fault of a request that was not sent, because another has shown that it would fail too."""
    return Fault(fault.kind, f"{fault.message} (not asked again)", status=fault.status, reason=fault.reason)
