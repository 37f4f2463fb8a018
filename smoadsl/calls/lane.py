"""Lane, to hold what is known of one route while a session lasts: whether it is well, and who waits for it."""

import asyncio
import math
from collections import OrderedDict, deque
from dataclasses import field
from random import Random

from smoadsl.adapters.base import Exchange, Fault, FaultKind, Reply
from smoadsl.adapters.values import value
from smoadsl.calls import breaker
from smoadsl.calls.delays import LONGEST_HINT_S
from smoadsl.calls.limits import Grant, Limits, Weight
from smoadsl.calls.outcomes import Again, rule_of
from smoadsl.calls.tries import Tries
from smoadsl.classes import dataclass

_THROTTLED_S = 30.0
NEVER_WAITS = -1
"""The patience of a request that is to be sent at once whatever is known of its route: its author wants no retries."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request that waits for its turn. `patience` is how many failed probes of the route it waits through; `others`
    says that it can go to another route instead of waiting at all."""

    weight: Weight
    owner: str
    patience: int
    others: bool
    turn: "asyncio.Future[Pass]"


@value(frozen=True, eq=False, slots=True)
class Pass:
    """A request's leave to begin. `probe`: what becomes of it decides whether the route is used again."""

    lane: "Lane"
    grant: Grant
    probe: bool


@dataclass(slots=True)
class Line:
    """Who waits: each owner's requests in order, the owners in turn; nobody, not even one who gave up, without any."""

    owners: OrderedDict[str, deque[Ticket]] = field(default_factory=OrderedDict)

    def add(self, ticket: Ticket, first: bool) -> None:
        waiting = self.owners.setdefault(ticket.owner, deque())
        if first:
            waiting.appendleft(ticket)
            self.owners.move_to_end(ticket.owner, last=False)
        else:
            waiting.append(ticket)

    @property
    def head(self) -> Ticket | None:
        """Whose turn it is; those who gave up are passed over."""
        while self.owners:
            owner, waiting = next(iter(self.owners.items()))
            while waiting and waiting[0].turn.done():
                waiting.popleft()
            if waiting:
                return waiting[0]
            del self.owners[owner]
        return None

    def pop(self) -> None:
        """The head goes, and the next owner's turn comes."""
        owner, waiting = next(iter(self.owners.items()))
        waiting.popleft()
        if waiting:
            self.owners.move_to_end(owner)
        else:
            del self.owners[owner]

    def everyone(self) -> list[Ticket]:
        return [ticket for waiting in self.owners.values() for ticket in waiting if not ticket.turn.done()]


class Lane:
    """One route of a session. `closed` is the fault for which it is not used any more in this run, `last_fault` the one
    that was met there last; `has_answered`: there was a reply."""

    def __init__(self, limits: Limits, random: Random) -> None:
        self.limits = limits
        self.line = Line()
        self.tries = Tries()
        self.closed: Fault | None = None
        self.last_fault: Fault | None = None
        self.has_answered = False
        self.under_way = 0
        self._breaker: breaker.Breaker = breaker.Closed()
        self._just_answered = False
        self._cool_until = 0.0
        self._cooled_by: Fault | None = None
        self._refused_at = -math.inf
        self._random = random

    def opens_at(self, now: float) -> float:
        """When the route is ready for another request, whatever its limits are."""
        return max(breaker.opens_at(self._breaker, now), self._cool_until)

    def shut(self, now: float) -> Fault | None:
        """Why nobody should wait for this route: it is closed for the run, or for longer than a hint is followed."""
        return self.closed or (self._cooled_by if self._cool_until - now > LONGEST_HINT_S else None)

    def is_open(self, now: float, patience_s: float = math.inf) -> bool:
        """Whether a request may begin, at least once a hint that is no longer than this is followed."""
        return breaker.opens_at(self._breaker, now) <= now and self._cool_until - now <= patience_s

    def was_refused(self, now: float) -> bool:
        """Whether the provider has said of late that there are too many requests: no copies are made then."""
        return now - self._refused_at < _THROTTLED_S or self._cool_until > now

    def ready_at(self, weight: Weight, patience: int, others: bool, now: float) -> float:
        """When a request may begin: not before now."""
        if type(self._breaker) is breaker.Closed and self._cool_until <= now:  # as nearly always
            return self.limits.ready_at(weight, now)
        never_waits = patience == NEVER_WAITS and not others
        opens_at = self._cool_until if never_waits else self.opens_at(now)
        return max(opens_at, self.limits.ready_at(weight, now))

    def begin(self, weight: Weight, now: float) -> Pass:
        """The request begins."""
        before, self._breaker = self._breaker, breaker.begun(self._breaker)
        self.under_way += 1
        return Pass(self, self.limits.begin(weight, now), self._breaker is not before)

    def answered(self, leave: Pass, reply: Reply, now: float) -> None:
        """The request has its reply."""
        self._well(leave, now)
        self._just_answered = self.has_answered = True
        self.tries.answered()
        if reply.exchange.allowances:
            self._heard(leave, reply.exchange, now)
        self.limits.settle(leave.grant, reply.usage)

    def failed(self, leave: Pass, fault: Fault, now: float) -> None:
        """The request failed: the breaker, the limits and those who wait learn of it."""
        rule = rule_of(fault)
        self.last_fault = fault
        if fault.exchange.allowances:
            self._heard(leave, fault.exchange, now)
        if rule.again is Again.PACED:
            self.limits.refused(leave.grant, now, fault.retry_after_s is not None)
            self._refused_at = now
        else:
            self.limits.settle(leave.grant, None)
        if rule.closes:
            self.closed = fault
        if fault.retry_after_s is not None and (rule.broken or rule.again is Again.PACED):
            self._cool_until = max(self._cool_until, now + fault.retry_after_s)
            self._cooled_by = fault
        if fault.kind is FaultKind.NOT_SENT and self._just_answered:
            self._breaker = breaker.let_go(self._breaker, leave.probe, now)  # a connection that was kept too long
        elif rule.broken:
            self._breaker = breaker.failed(self._breaker, leave.probe, now, self._random.random())
        elif fault.kind is FaultKind.LOCAL:
            self._breaker = breaker.let_go(self._breaker, leave.probe, now)
        else:
            self._well(leave, now)  # who answers with a refusal is there
        self._just_answered = False
        self._turn_away(fault, leave.probe and rule.broken, now)

    def let_go(self, leave: Pass, now: float) -> None:
        """The request ended without showing anything of the route."""
        self._breaker = breaker.let_go(self._breaker, leave.probe, now)

    def _well(self, leave: Pass, now: float) -> None:
        self._breaker = breaker.succeeded(self._breaker, leave.probe, now)

    def _heard(self, leave: Pass, exchange: Exchange, now: float) -> None:
        if not self.limits.fits(exchange):
            self.limits = self.limits.apart()  # this model's limits are not those of the others
        self.limits.heard(leave.grant, exchange, now)

    def _turn_away(self, fault: Fault, probe_failed: bool, now: float) -> None:
        """Tell those who need not wait for this route that they need not."""
        shut = self.shut(now)
        closed_to_some = shut is not None or not isinstance(self._breaker, breaker.Closed)
        if not closed_to_some:
            return
        for ticket in self.line.everyone():
            if probe_failed:
                ticket.patience -= 1
            if shut is not None or ticket.others or (probe_failed and ticket.patience < 0):
                ticket.turn.set_exception(TurnedAway(shut or fault))


class TurnedAway(Exception):
    """A request that was not sent, because one before it has shown that there is no use in it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault
