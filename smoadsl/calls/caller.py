"""Caller, to make one request succeed if it can: a turn, an attempt, another while it is worth it, then a fallback."""

import asyncio
import math
from collections.abc import Awaitable, Sequence
from dataclasses import field, replace
from functools import partial
from random import Random

from smoadsl.adapters.base import Fault, FaultKind, OnText, Reply
from smoadsl.calls.attempt import CACHED, Account, Ask, Attempt, Attempts, OnAttempt, request_of, turn_of
from smoadsl.calls.cache import Kept
from smoadsl.calls.hedge import Copy, OnSent, race
from smoadsl.calls.lane import NEVER_WAITS, Lane
from smoadsl.calls.outcomes import Elsewhere, rule_of
from smoadsl.calls.retry import PATIENCE_S, Next, Standing, decide
from smoadsl.calls.route import Route
from smoadsl.calls.session import Session
from smoadsl.classes import dataclass


class Caller:
    """Makes calls through a session. Time is the event loop's, chance comes from `random`."""

    def __init__(self, session: Session, random: Random, cache: Kept | None = None) -> None:
        self._session = session
        self._random = random
        self._cache = cache

    def call(
        self, routes: Sequence[Route], ask: Ask, account: Account, on_attempt: OnAttempt, on_text: OnText | None = None
    ) -> Awaitable[tuple[Route, Reply]]:
        """The reply and the route that gave it, or the last `Fault`. The first route is the model's own, the others are
        its fallbacks. Once text has reached `on_text` nothing is tried again: a reader saw it. Each attempt is paid for
        by `account`, and what that raises ends the call."""
        call = _Call(Attempts(self._session, ask, account, on_attempt), self._random, routes, on_text)
        return call.answer() if self._cache is None else self._found_or_kept(self._cache, call)

    async def _found_or_kept(self, cache: Kept, call: "_Call") -> tuple[Route, Reply]:
        """The answer that is known, else the one that is bought, which is known from then on."""
        own, ask = call.routes[0], call.attempts.ask
        sample, provider, request = ask.sample, self._session.providers[own.provider], request_of(own, ask)
        if (known := await cache.find(provider, own, request, sample)) is not None:
            call.attempts.on_attempt(Attempt(1, own, CACHED, "", 0.0, answer=known, why="it was answered before"))
            if call.on_text is not None:
                call.on_text(known.text)
            return own, known
        route, reply = await call.answer()
        await cache.keep(provider, own, request, sample, reply, by=route)
        return route, reply


@dataclass(slots=True)
class _Call:
    """One call on its way: `place` is that of the route it is at, `faults` are those met there."""

    attempts: Attempts
    random: Random
    routes: Sequence[Route]
    on_text: OnText | None
    number: int = 0
    place: int = 0
    faults: list[Fault] = field(default_factory=list)
    shown: bool = False
    cut: tuple[Route, Reply] | None = None  # an answer cut at max_tokens, while a longer one is asked for

    async def answer(self) -> tuple[Route, Reply]:
        """The chain: choose a route, make an attempt there, and do what its end says comes next."""
        while True:
            if len(self.routes) > 1 and not self.faults:
                self._pass_over()
            route = self.routes[self.place]
            ended = await (self._attempt(route) if route.hedge_s is None else self._hedged(route, route.hedge_s))
            if isinstance(ended.answer, Reply):
                if (answer := self._taken(ended, ended.answer)) is not None:
                    return answer
                continue  # a longer answer is asked for
            if self.cut is not None and not ended.sent:
                return self.cut
            assert ended.answer is not None, "who is cancelled does not get here"
            following, other = self._next(ended, ended.answer)
            if ended.sent:
                name = "" if other is None else self.routes[other].name
                self.attempts.on_attempt(ended.followed(following.why, following.wait_s, name, self.shown))
            if following.wait_s is not None:
                await asyncio.sleep(following.wait_s)
            elif other is not None:
                self.place, self.faults = other, []
            elif self.cut is not None:
                return self.cut
            else:
                raise ended.answer

    # ---- where the call goes

    def _pass_over(self) -> None:
        """Leave a route that is not well for one that is; where none is, the one that is well first is waited for."""
        now = asyncio.get_running_loop().time()
        places = range(self.place, len(self.routes))
        in_use = [place for place in places if self._lane(place).shut(now) is None]
        ready = (place for place in in_use if self._lane(place).is_open(now, PATIENCE_S))
        first = min(in_use, key=lambda place: self._lane(place).opens_at(now), default=self.place)
        self.place = next(ready, first)

    def _next(self, ended: Attempt, fault: Fault) -> tuple[Next, int | None]:
        """What comes next after a fault, and the place of the fallback if that is another route."""
        now = asyncio.get_running_loop().time()
        self.faults.append(fault)
        route, lane = ended.by, self._lane(self.place)
        ahead = [place for place in range(self.place + 1, len(self.routes)) if self._suits(fault, place, now)]
        if ended.sent:
            left_s = math.inf if self.attempts.ask.deadline_at is None else self.attempts.ask.deadline_at - now
            standing = Standing(
                tuple(self.faults),
                attempts=self.number,
                retries=self._retries(route),
                ahead=len(ahead),
                shown=self.shown,
                tries_left=lane.tries.enough(fault),
                time_left_s=left_s,
                refusals_pass=route.fallback_on_refusal,
            )
            following = decide(standing, self.random)
        else:
            following = Next(bool(ahead), "it was not sent")
        if following.wait_s is not None:
            lane.tries.spend(fault)
        return following, ahead[0] if following.elsewhere else None

    def _suits(self, fault: Fault, place: int, now: float) -> bool:
        """Whether a fallback may succeed where this fault came: it is in use, and not the same in what was wrong."""
        here, there = self.routes[self.place], self.routes[place]
        if self._lane(place).shut(now) is not None or (fault.status == 401 and there.provider == here.provider):
            return False
        larger = there.context is not None and there.context > (here.context or 0)
        return larger or rule_of(fault).elsewhere is not Elsewhere.LARGER

    def _retries(self, route: Route) -> int:
        return self.attempts.session.providers[route.provider].retries if route.retries is None else route.retries

    def _lane(self, place: int) -> Lane:
        return self.attempts.session.lane(self.routes[place])

    # ---- attempts

    def _attempt(self, route: Route, on_sent: OnSent | None = None) -> Copy:
        self.number += 1
        retries, faults, is_longer = self._retries(route), len(self.faults), self.cut is not None
        patience = retries - faults if retries else NEVER_WAITS
        turn = turn_of(self.number, patience, self.place + 1 < len(self.routes), faults > 0 or is_longer, is_longer)
        return self.attempts.make(route, turn, on_sent, self._show if self.on_text else None)

    async def _hedged(self, route: Route, after_s: float) -> Attempt:
        """An attempt, and a second copy of it where the first is slow: on a fallback if one is well."""
        copy = 0  # the number of the second attempt, once there is one

        def second() -> Copy | None:
            nonlocal copy
            if (place := self._place_of_a_copy()) is None:
                return None
            self._lane(place).tries.spend()
            self.number += 1
            copy = self.number
            return self.attempts.make(self.routes[place], turn_of(copy, 0, False, True, True))

        def lost(end: Attempt) -> None:
            if end.sent:
                self.attempts.on_attempt(end.followed("the other copy is waited for"))

        first = partial(self._attempt, route)
        ended = await race(first, second, after_s, lambda end: end.number != copy or not self.shown, lost)
        if ended.number == copy and isinstance(ended.answer, Reply) and self.on_text is not None:
            self._show(ended.answer.text)
        return ended

    def _place_of_a_copy(self) -> int | None:
        """The route that a second copy goes to: a fallback that is well, else the same; None where there is to be none,
        as a provider has refused calls for their rate, too much is tried again already, or text was shown."""
        now = asyncio.get_running_loop().time()
        for place in (*range(self.place + 1, len(self.routes)), self.place):
            lane = self._lane(place)
            if lane.shut(now) is None and lane.opens_at(now) <= now:
                refused = lane.was_refused(now) or self._lane(self.place).was_refused(now)
                refused = refused or any(fault.status == 429 for fault in self.faults)
                return None if refused or self.shown or not lane.tries.any else place
        return None

    def _show(self, text: str) -> None:
        self.shown = True
        if self.on_text is not None:
            self.on_text(text)

    # ---- answers

    def _taken(self, ended: Attempt, reply: Reply) -> tuple[Route, Reply] | None:
        """The answer, if it is one: what was cut at max_tokens may be asked for once more, or be none at all."""
        route = ended.by
        if reply.finish != "length" or self._may_be_cut(route):
            self.attempts.on_attempt(ended)
            return route, reply
        most = route.sampling.max_tokens
        if route.length == "fail":
            message = f"the answer of {route.name} was cut at max_tokens = {most}"
            told = ended.followed("an answer that is cut is none here")
            self.attempts.on_attempt(replace(told, outcome=FaultKind.LENGTH.value))
            raise Fault(FaultKind.LENGTH, message, billed=True)
        self._grow(self.routes.index(route))
        self.cut = route, reply
        told = ended.followed("twice as long an answer is asked for", wait_s=0.0)
        self.attempts.on_attempt(replace(told, outcome=FaultKind.LENGTH.value))
        return None

    def _grow(self, place: int) -> None:
        """Go on at the route whose answer was cut, which a copy may have asked. The others keep their `max_tokens`."""
        route = self.routes[place]
        longer = replace(route, sampling=replace(route.sampling, max_tokens=2 * route.sampling.max_tokens))
        self.routes = [*self.routes[:place], longer, *self.routes[place + 1 :]]
        if place != self.place:
            self.place, self.faults = place, []

    def _may_be_cut(self, route: Route) -> bool:
        """Whether an answer that was cut at max_tokens is taken as it is."""
        return route.length == "accept" or (route.length == "grow" and (self.cut is not None or self.shown))
