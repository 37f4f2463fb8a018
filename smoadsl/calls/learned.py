"""Learned, to find how many requests a provider takes that says nothing of it but 429.

Every refusal tells something exact: what was accepted in the period before it is all that the period holds. So the
count of the last period is taken over, not halved. As long as nothing was refused, as many requests as were accepted
may be on trial at once; later, a quiet time earns a little more. The period is guessed to be a second, and a longer one
as soon as a whole one of the guessed length passed without anything being accepted.
"""

import math
from collections import deque
from collections.abc import Iterator

from smoadsl.calls.window import Bucket, Taken, Window
from smoadsl.classes import dataclass

_FIRST_AT_ONCE = 8
_LEAST_EVIDENCE = 4
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_NEWS_S = 0.3  # a refusal comes soon: what was not refused for so long is accepted
_PERIODS_S = (1.0, 10.0, 60.0, 3600.0, 86_400.0)
_FIRST_QUIET_PERIODS = 10
_LONGEST_QUIET_PERIODS = 60
_BACK = 0.88  # where it is not seen by how much it was too many
_NEARLY_ALL = 0.95  # of what a period holds was accepted: then a refusal may be a stray one,
_STRAYS = 0.01  # unless there are more in a period than this share of what it holds
_MOST_LOGGED = 100_000


@dataclass(slots=True)
class Sent:
    """One request, and whether it was refused; None while that is not known."""

    at: float
    refused: bool | None = None


class Learned:
    """What one provider, or one model of it, has been seen to take. `known` is its limit where that is known from
    elsewhere: nothing is held back then before refusals show that it is another."""

    def __init__(self, known: Window | Bucket | None = None) -> None:
        self.log: deque[Sent] = deque(maxlen=_MOST_LOGGED)
        self._known = known
        self._on_trial: deque[Sent] = deque()
        self._at_once = _FIRST_AT_ONCE
        self._accepted = 0
        self._none_before = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._window: Window | None = None
        self._place = 0  # in the table of periods
        self._more = 1.0  # how much the next quiet time earns
        self._ceiling = math.inf  # of what the refusals of requests may show that are on their way
        self._set_at = 0.0
        self._refused_at = 0.0
        self._quiet_from = 0.0
        self._quiet_periods = _FIRST_QUIET_PERIODS
        self._was_full = False  # the window has kept somebody waiting since then

    @property
    def per_s(self) -> float | None:
        """The rate that was found, None while nothing was refused."""
        return self._window.count / self._window.period_s if self._window else None

    def ready_at(self, now: float) -> float:
        """When another request may be sent."""
        if self._window is None:
            if self._known is not None:
                return now if now > self._none_before else self._none_before
            self._hear(now)
            if len(self._on_trial) < max(self._at_once, self._accepted):
                return max(now, self._none_before)
            return max(now, self._none_before, self._on_trial[0].at + _NEWS_S)
        self._grow(now)
        at = self._window.ready_at(1, now)
        self._was_full = self._was_full or at > now
        return at

    def trust(self, known: Window | Bucket | None) -> None:
        """Its limit is told."""
        if self._window is None:
            self._known = known

    def sent(self, now: float) -> Sent:
        """A request is sent."""
        sent = Sent(now)
        self.log.append(sent)
        if self._window is not None:
            self._window.take(1, now)
        elif self._known is None:
            self._on_trial.append(sent)
        return sent

    def accepted(self, sent: Sent) -> None:
        """It was not refused, whatever else came of it."""
        if sent.refused is None:
            sent.refused = False
            self._pause_s = _FIRST_PAUSE_S

    def refused(self, sent: Sent, now: float, hinted: bool = False) -> None:
        """It was refused for the rate; `hinted`: with a wait, which must be kept, so that no more can be seen."""
        sent.refused = True
        if self._is_stray(sent, hinted):
            self._quiet_from = now
            return
        known = self._window.count if self._window else 0.0
        self._refused_at = max(self._refused_at, sent.at)  # the latest: on their way they overtake one another
        count = self._accepted_before(self._refused_at, _PERIODS_S[self._place])
        while count < known / 10 and self._place + 1 < len(_PERIODS_S):
            self._place += 1
            count = self._accepted_before(self._refused_at, _PERIODS_S[self._place])
        if count < _LEAST_EVIDENCE:
            self._begin_anew(now)
        elif self._window is None or self._window.period_s != _PERIODS_S[self._place] or sent.at <= self._set_at:
            self._set(min(count, self._ceiling), _PERIODS_S[self._place], now)
        else:
            self._take_over(count, hinted, now)

    def _is_stray(self, sent: Sent, hinted: bool) -> bool:
        """Whether the rate is what it was thought to be, and requests came closer together than they were sent."""
        known = self._window or self._known
        if known is None or sent.at <= self._set_at or (hinted and self._window):
            return False  # with a hint each refusal stops all calls for a while: better a little less than that
        accepted = self._accepted_before(sent.at, known.period_s)
        refused = self._refused_before(sent.at, known.period_s)
        return accepted >= _NEARLY_ALL * known.count and refused <= 1 + _STRAYS * known.count

    def _begin_anew(self, now: float) -> None:
        """Too little was accepted to tell a rate by: try one request, then two, and so on."""
        self._window = None
        self._ceiling = math.inf
        self._known = None
        self._place, self._at_once, self._accepted = 0, 1, 0
        self._on_trial.clear()
        self._none_before = now + self._pause_s
        self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)

    def _take_over(self, count: float, hinted: bool, now: float) -> None:
        """What was accepted in the last period is what it holds, or less than was thought."""
        assert self._window is not None
        known = self._window.count
        if count >= 0.9 * known:
            self._quiet_periods = min(_LONGEST_QUIET_PERIODS, self._quiet_periods * 2)
        self._ceiling = known * _BACK if hinted else known
        self._set(min(count, self._ceiling), self._window.period_s, now)

    def _set(self, count: float, period_s: float, now: float) -> None:
        kept = [sent for sent in self.log if sent.refused is not True and now - sent.at < period_s]
        self._window = Window(count, period_s, (Taken(sent.at, 1) for sent in kept))
        self._on_trial.clear()
        self._more = max(1.0, count / 100)
        self._set_at = self._quiet_from = now
        self._was_full = False

    def _grow(self, now: float) -> None:
        """After a quiet time in which somebody had to wait, allow a little more, and then twice that."""
        assert self._window is not None
        if self._was_full and now - self._quiet_from >= self._quiet_periods * self._window.period_s:
            self._window.grow(self._more)
            self._more *= 2
            self._quiet_from, self._was_full = now, False

    def _hear(self, now: float) -> None:
        """Take those off trial of which news has come, or no news for long enough."""
        while self._on_trial and (self._on_trial[0].refused is False or now - self._on_trial[0].at >= _NEWS_S - 1e-9):
            self._on_trial.popleft()
            self._accepted += 1

    def _refused_before(self, at: float, period_s: float) -> int:
        return sum(sent.refused is True for sent in self._before(at, period_s))

    def _accepted_before(self, at: float, period_s: float) -> int:
        """How many of the requests in the period that ended then were not refused."""
        return sum(sent.refused is not True for sent in self._before(at, period_s))

    def _before(self, at: float, period_s: float) -> Iterator[Sent]:
        for sent in reversed(self.log):
            if sent.at <= at - period_s:
                return
            if sent.at <= at:
                yield sent
