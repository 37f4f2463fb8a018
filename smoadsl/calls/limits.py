"""Limits, to say when a request may begin under all that is known of a provider's limits: declared, told, learned."""

from collections.abc import Mapping
from typing import NamedTuple

from smoadsl.adapters.base import Exchange, Request, Unit, Usage
from smoadsl.calls.learned import Learned, Sent
from smoadsl.calls.route import Provider, Rate
from smoadsl.calls.told import Told
from smoadsl.calls.window import Taken, Window
from smoadsl.classes import dataclass


class Weight(NamedTuple):
    """What a request counts for, a field for each `Unit`, in their order."""

    requests: float
    tokens: float
    input_tokens: float
    output_tokens: float


def weight_of(size: int, request: Request) -> Weight:
    """The most that a request of so many bytes can count for: one token for two of them, and all that it may answer."""
    input_tokens, output_tokens = size // 2, request.sampling.max_tokens
    return Weight(1, input_tokens + output_tokens, input_tokens, output_tokens)


_PLACES: Mapping[str, int] = {unit: place for place, unit in enumerate(Weight._fields)}


@dataclass(slots=True)
class Grant:
    """One request under the limits: what it took of each."""

    at: float
    sent: Sent
    weight: Weight
    taken: list[tuple[int, Window | Told, Taken]]  # with the place of the unit


class Limits:
    """What a provider declares, and what it, or one model of it, has told and shown."""

    def __init__(self, provider: Provider) -> None:
        self._declared: dict[Unit, Window] = {}
        if provider.rate is not None:
            self._declared["requests"] = _window(provider.rate)
        if provider.tokens_rate is not None:
            self._declared["tokens"] = _window(provider.tokens_rate)
        self._told: dict[Unit, Told] = {}
        self._learned = Learned(self._declared.get("requests"))
        self._all: list[tuple[int, Window | Told]] = _placed(self._declared)

    def apart(self) -> "Limits":
        """Limits of one model alone: what is declared is shared, what is told and learned is its own."""
        limits = Limits.__new__(Limits)
        limits._declared, limits._told = self._declared, {}
        limits._learned = Learned(self._declared.get("requests"))
        limits._all = _placed(self._declared)
        return limits

    def ready_at(self, weight: Weight, now: float) -> float:
        """When a request of this weight may begin."""
        at = self._learned.ready_at(now)
        for place, window in self._all:
            ready_at = window.ready_at(weight[place], now)
            if ready_at > at:
                at = ready_at
        return at

    def begin(self, weight: Weight, now: float) -> Grant:
        """A request begins."""
        taken = [(place, window, window.take(weight[place], now)) for place, window in self._all]
        return Grant(now, self._learned.sent(now), weight, taken)

    def fits(self, exchange: Exchange) -> bool:
        """Whether what an answer tells is of these limits: the same size, where one is known."""
        if not exchange.allowances:
            return True
        known = {a.unit: self._told[a.unit].limit for a in exchange.allowances if a.unit in self._told}
        return all(a.limit in (None, known.get(a.unit, a.limit)) for a in exchange.allowances)

    def heard(self, grant: Grant, exchange: Exchange, now: float) -> None:
        """An answer came, and its headers may tell of limits."""
        for allowance in exchange.allowances:
            if allowance.unit not in self._told:
                if not allowance.limit:
                    continue
                told = self._told[allowance.unit] = Told(allowance.limit)
                self._all.append((_PLACES[allowance.unit], told))
                for sent in self._learned.log if allowance.unit == "requests" else ():
                    told.take(1, sent.at)
            self._told[allowance.unit].heard(allowance, grant.at, now)
            if allowance.unit == "requests":
                self._learned.trust(self._told["requests"].window)

    def refused(self, grant: Grant, now: float, hinted: bool) -> None:
        """The request was refused for the rate, with a hint when to come back or without."""
        self._learned.refused(grant.sent, now, hinted)

    def settle(self, grant: Grant, usage: Usage | None) -> None:
        """The request was accepted. What it took is known now, if the provider counted."""
        self._learned.accepted(grant.sent)
        if usage is None or usage.estimated or not grant.taken:
            return
        read, written = usage.input_tokens, usage.output_tokens
        actual = (1, read + written, read, written)
        for place, window, taken in grant.taken:
            if place:  # a request stays one
                window.settle(taken, actual[place] - grant.weight[place])


def _placed(windows: Mapping[Unit, Window]) -> list[tuple[int, Window | Told]]:
    return [(_PLACES[unit], window) for unit, window in windows.items()]


def _window(rate: Rate) -> Window:
    return Window(rate.count, rate.period_s)
