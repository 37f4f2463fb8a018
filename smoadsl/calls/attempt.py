"""Attempt, to send one request once and say exactly what came of it: a reply or a fault, what it took and how long."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import lru_cache
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
from smoadsl.calls.session import Session, is_cancelled


@value(frozen=True, slots=True)
class Ask:
    """What is asked, whoever answers: messages of `size` bytes. `tag` says which call of a run it is, `owner` whose
    (callers take turns), `sample` which of several equal ones, so that a cache tells them apart; `deadline_at` is when
    it must have ended. `n`: how many answers one request is to bring. `row`: the fields of the row that is asked about,
    of which each route names those that it is given."""

    messages: tuple[Message, ...]
    size: int
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

    def bill(self, route: Route, n: int, extra: bool) -> Bill:
        """Reserve the worst case of an attempt that asks a route for `n` answers. Raises `Exhausted`, and then takes
        nothing. An `extra` attempt is one that the call can do without: that it does not fit ends nothing else."""


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
    patience: int
    others: bool
    again: bool
    extra: bool


turn_of = lru_cache(maxsize=256)(Turn)
"""A turn; nearly all are alike."""

OK = "ok"
CACHED = "cached"

HEDGE_LOST = "hedge_lost"
"""The message with which the slower of two copies is cancelled."""

_LOST = (HEDGE_LOST, "the other copy was faster")
_CANCELLED = ("cancelled", "not waited for any longer")


class Attempts:
    """Makes the attempts of one call, through a session. Each is paid for by `account`."""

    __slots__ = ("account", "ask", "on_attempt", "session")

    def __init__(self, session: Session, ask: Ask, account: Account, on_attempt: OnAttempt) -> None:
        self.session = session
        self.ask = ask
        self.account = account
        self.on_attempt = on_attempt

    async def make(
        self, route: Route, turn: Turn, on_sent: Callable[[], None] | None = None, on_text: OnText | None = None
    ) -> Attempt:
        """Wait for the route's turn, send the request once, and let the route and the budget learn of the end.

        Raises `Exhausted` when the budget does not hold what is needed. A cancellation is passed on, and told.
        """
        session, ask, number = self.session, self.ask, turn.number
        now = session.loop.time
        queued_at = now()
        request = request_of(route, ask)
        provider, gate, lane = session.way(route)
        try:
            weight = weight_of(ask.size, request)
            leave = await gate.enter(lane, weight, ask.owner, turn.patience, turn.others, turn.again, queued_at)
        except TurnedAway as away:
            return _failed(number, route, _not_sent_again(away.fault), 0.0, now() - queued_at, sent=False)
        begun = now()
        queued_s = begun - queued_at
        within_s = route.ttft_s or provider.ttft_s
        first = None if within_s is None and on_text is None else FirstText(within_s, on_text)
        bill: Bill | None = None
        try:
            if not turn.again:
                lane.tries.called()
            bill = self.account.bill(route, request.n, turn.extra)
            adapter, secrets = session.opened(provider.name)
            if on_sent is not None:
                on_sent()
            with Alarm(session.countdown(route.timeout_s or provider.timeout_s), session.loop):
                answering = adapter.complete(request) if first is None else first.complete(adapter, request, secrets)
                reply = keyless(await answering, secrets)
        except BaseException as error:
            text_after_s = first.after_s if first else None
            fault = self._fault_of(error, route, provider, first) if bill is not None else None
            billed = not gate.takes_no_key if fault is None else fault.billed
            if bill is not None:
                bill.failed(billed)
            if fault is not None:
                lane.failed(leave, fault, now())
                return _failed(number, route, fault, now() - begun, queued_s, text_after_s)
            lane.let_go(leave, now())
            if isinstance(error, Exhausted) and turn.extra:
                return _failed(number, route, Fault(FaultKind.LOCAL, str(error)), 0.0, queued_s, sent=False)
            if isinstance(error, asyncio.CancelledError):
                outcome, why = _LOST if HEDGE_LOST in error.args else _CANCELLED
                took_s = now() - begun
                self.on_attempt(Attempt(number, route, outcome, why, took_s, queued_s, None, billed, text_after_s))
            raise
        else:
            bill.answered(reply.usage, route.price)
            ended_at = now()
            lane.answered(leave, reply, ended_at)
            text_after_s = None if first is None else first.after_s
            return Attempt(number, route, OK, "", ended_at - begun, queued_s, reply, False, text_after_s)
        finally:
            gate.leave(leave)

    def _fault_of(
        self, error: BaseException, route: Route, provider: Provider, first: FirstText | None
    ) -> Fault | None:
        """The fault that ended what was sent; None where it was given up from here."""
        match error:
            case Fault():
                return keyless_fault(error, self.session.secrets(provider.name))
            case TimeoutError() if first is not None and first.is_late:
                what, within_s = "text", first.within_s or 0.0
            case TimeoutError():
                what, within_s = "whole answer", route.timeout_s or provider.timeout_s
            case asyncio.CancelledError() if is_cancelled():
                return None
            case KeyboardInterrupt() | SystemExit():
                return None
            case _:  # an adapter of another package: its mistakes fail one call, not the run
                message = f"the adapter of {provider.name} failed with {type(error).__name__}"
                return Fault(FaultKind.LOCAL, message, billed=True)
        return Fault(FaultKind.TIMEOUT, f"{provider.name} gave no {what} within {within_s:g} s", billed=True)


def _not_sent_again(fault: Fault) -> Fault:
    """The fault of a request that was not sent, because another has shown that it would fail too."""
    return Fault(fault.kind, f"{fault.message} (not asked again)", status=fault.status, reason=fault.reason)
