"""Gate, to let the requests to one provider begin: as many at once, and as fast, as it and its routes allow.

It is the only queue there is. Each route has its own line, so that one which must wait stops no other; in a line the
owners (pipelines) take turns, and what is tried again goes first. Waiting counts against the call's own time.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterable
from random import Random

from smoadsl.calls.lane import Lane, Pass, Ticket, TurnedAway
from smoadsl.calls.limits import Limits, Weight
from smoadsl.calls.route import Provider

_KEPT_FREE = 4  # one slot in so many is kept from a route for the others
_IN_A_PASS = 32  # requests that begin in one pass of the loop: each opens a connection, and all else waits for them


class Gate:
    """The way to one provider."""

    def __init__(self, provider: Provider, random: Random) -> None:
        self._slots = self._most_of_a_lane = provider.concurrency
        self._limits = Limits(provider)
        self._random = random
        self._lanes: dict[str, Lane] = {}
        self._turns: deque[Lane] = deque()  # whose turn is next comes first
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = math.inf
        self._begun = 0  # in this pass of the loop

    def lane(self, model: str) -> Lane:
        """The route to one model. All share what is known of the provider's limits, until they show to be different."""
        if model not in self._lanes:
            self._lanes[model] = Lane(self._limits, self._random)
            self._turns.append(self._lanes[model])
            self._most_of_a_lane = self._slots - min(len(self._lanes) - 1, self._slots // _KEPT_FREE)
        return self._lanes[model]

    @property
    def lanes(self) -> Iterable[Lane]:
        """The routes that were used so far."""
        return self._lanes.values()

    @property
    def takes_no_key(self) -> bool:
        """Whether the provider has refused our key, and never took it before: then it charges for nothing."""
        refused = any(lane.closed is not None and lane.closed.status == 401 for lane in self.lanes)
        return refused and not any(lane.has_answered for lane in self.lanes)

    async def enter(
        self, lane: Lane, weight: Weight, owner: str, patience: int, others: bool, again: bool, now: float
    ) -> Pass:
        """Wait until a request may begin. Raises `TurnedAway` when the route turns out to be of no use meanwhile."""
        if (fault := lane.shut(now)) is not None:
            raise TurnedAway(fault)
        if others and not lane.is_open(now) and lane.last_fault is not None:
            raise TurnedAway(lane.last_fault)
        may_begin = self._begun < _IN_A_PASS and not lane.line.owners and self._is_free(lane)
        if may_begin and lane.ready_at(weight, patience, others, now) <= now:
            return self._begin(lane, weight, now)  # nobody waits who could have begun before it
        loop = asyncio.get_running_loop()
        ticket = Ticket(weight, owner, patience, others, loop.create_future())
        lane.line.add(ticket, first=again)
        self._dispatch()
        try:
            return await ticket.turn
        except asyncio.CancelledError:
            if ticket.turn.done() and not ticket.turn.cancelled() and ticket.turn.exception() is None:
                leave = ticket.turn.result()  # its turn came in the same moment
                lane.let_go(leave, loop.time())
                self.leave(leave)
            raise

    def leave(self, leave: Pass) -> None:
        """The request has ended."""
        self._under_way -= 1
        leave.lane.under_way -= 1
        for lane in self._turns:
            if lane.line.owners:
                self._dispatch()
                return

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way or waits."""
        return self._under_way == 0 and all(lane.line.head is None for lane in self._turns)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _dispatch(self) -> None:
        """Let begin who may, the lines in turn, and come back when the next may."""
        now = asyncio.get_running_loop().time()
        wake_at = math.inf
        waiting = deque(self._turns)
        while waiting and self._under_way < self._slots and self._begun < _IN_A_PASS:
            lane = waiting.popleft()
            ticket = lane.line.head
            if ticket is None or not self._is_free(lane):
                continue
            if (at := lane.ready_at(ticket.weight, ticket.patience, ticket.others, now)) > now:
                wake_at = min(wake_at, at)
                continue
            lane.line.pop()
            ticket.turn.set_result(self._begin(lane, ticket.weight, now))
            waiting.append(lane)
        self._wake(wake_at)

    def _begin(self, lane: Lane, weight: Weight, now: float) -> Pass:
        """Let a request begin; the turn of its route comes again after those of all others. Who has to wait for the
        next pass of the loop is looked for in it."""
        self._under_way += 1
        if self._begun == 0:
            asyncio.get_running_loop().call_soon(self._pass)
        self._begun += 1
        if self._turns[-1] is not lane:
            self._turns.remove(lane)
            self._turns.append(lane)
        return lane.begin(weight, now)

    def _pass(self) -> None:
        was_full, self._begun = self._begun >= _IN_A_PASS, 0
        if was_full:
            self._dispatch()

    def _is_free(self, lane: Lane) -> bool:
        """Whether there is a slot for a route. Where there are other routes, some are kept free for them."""
        return self._under_way < self._slots and lane.under_way < self._most_of_a_lane

    def _wake(self, at: float) -> None:
        if at == self._wakes_at and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._woken) if at < math.inf else None

    def _woken(self) -> None:
        self._timer = None
        self._dispatch()
