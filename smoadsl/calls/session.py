"""Session, to hold what a run needs of the outside: keys found, adapters opened on first use and closed at the end."""

import asyncio
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import cached_property
from random import Random
from types import TracebackType
from typing import NamedTuple

from smoadsl.adapters import open_adapter
from smoadsl.adapters.alarm import Countdown
from smoadsl.adapters.base import Adapter, Connection, Fault
from smoadsl.adapters.words import Secrets
from smoadsl.builtins.providers import dialect_of
from smoadsl.calls.gate import Gate
from smoadsl.calls.keys import Bound, Keys
from smoadsl.calls.lane import Lane
from smoadsl.calls.route import Env, Provider, Route

Opener = Callable[[str, Connection], Adapter]  # the adapter's name, and what it connects to


_NO_SECRETS = Secrets()


def is_cancelled() -> bool:
    """Whether the task that asks was cancelled from outside, and not something that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Way(NamedTuple):
    """Where the requests of a route go: the provider, the way in, and what is known of the route."""

    provider: Provider
    gate: Gate
    lane: Lane


class Opened(NamedTuple):
    """A provider that can be asked."""

    adapter: Adapter
    secrets: Secrets


class Session:
    """An asynchronous context manager. `environ` is where keys are looked up, `opener` how adapters are made, `allowed`
    where keys may go beside what is well known. Entering raises `Unbound` when one would go elsewhere."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        environ: Mapping[str, str],
        opener: Opener = open_adapter,
        allowed: Collection[Bound] = frozenset(),
    ) -> None:
        self.providers = providers
        self._keys = Keys(environ, allowed)
        self._opener = opener
        self._opened: dict[str, Opened] = {}
        self._gates: dict[str, Gate] = {}
        self._ways: dict[tuple[str, str], Way] = {}
        self._countdowns: dict[float, Countdown] = {}
        self._random = Random(0)  # how long a route is left alone may differ, but not from run to run
        self._stack = AsyncExitStack()

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it is used in."""
        return asyncio.get_running_loop()

    async def __aenter__(self) -> "Session":
        self._keys.check(self.providers.values())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in self._gates.values():
            gate.close()
        await self._stack.aclose()

    def opened(self, name: str) -> Opened:
        """The provider's adapter, and what may not stand in its answers. Raises `Fault` when a key that it needs is not
        set, or not for it."""
        opened = self._opened.get(name)
        if opened is None:
            connection = self.connection(name)
            adapter = self._opener(self.providers[name].adapter, connection)
            self._stack.push_async_callback(self._close, name, adapter)
            opened = self._opened[name] = Opened(adapter, Secrets(connection.secrets))
        return opened

    async def _close(self, name: str, adapter: Adapter) -> None:
        """Close an adapter. What it brought is there by now, and is not lost because it can not be closed."""
        try:
            await adapter.aclose()
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            message = f"the adapter of {name} failed with {type(error).__name__} as it was closed"
            warnings.warn(message, RuntimeWarning, stacklevel=1)

    def secrets(self, name: str) -> Secrets:
        """What may not stand in an answer of a provider; nothing before its adapter is open."""
        return self._opened[name].secrets if name in self._opened else _NO_SECRETS

    def connection(self, name: str) -> Connection:
        """What the provider is reached by. Raises `Fault` when a key that it needs is not set, or not for it."""
        provider = self.providers[name]
        key = self._keys.value(provider, provider.api_key) if provider.api_key else None
        headers = {
            header: self._keys.value(provider, value) if isinstance(value, Env) else value
            for header, value in provider.headers.items()
        }
        return Connection(
            name,
            provider.base_url,
            key,
            headers,
            provider.local,
            first_byte_timeout_s=provider.timeout_s,
            total_timeout_s=provider.timeout_s,
            watched=True,
            dialect=dialect_of(provider.adapter, provider.base_url),
            public=frozenset(header for header, value in provider.headers.items() if not isinstance(value, Env)),
        )

    def check(self, names: Iterable[str]) -> None:
        """Raises `Fault` when one of these providers lacks a key that it needs."""
        for name in sorted(set(names)):
            self.connection(name)

    def countdown(self, after_s: float) -> Countdown:
        """What ends all that takes longer than this."""
        if after_s not in self._countdowns:
            self._countdowns[after_s] = Countdown(after_s)
        return self._countdowns[after_s]

    def gate(self, name: str) -> Gate:
        """The one way to a provider."""
        if name not in self._gates:
            self._gates[name] = Gate(self.providers[name], self._random)
        return self._gates[name]

    def way(self, route: Route) -> Way:
        """Where requests of a route go."""
        key = route.provider, route.model
        way = self._ways.get(key)
        if way is None:
            gate = self.gate(route.provider)
            way = self._ways[key] = Way(self.providers[route.provider], gate, gate.lane(route.model))
        return way

    def lane(self, route: Route) -> Lane:
        """What is known of a route so far."""
        return self.way(route).lane

    def closed(self) -> list[Fault]:
        """For what routes are not used any more as long as this session lasts."""
        return [lane.closed for lane in self._lanes() if lane.closed is not None]

    def paused(self, now: float) -> list[tuple[Fault, float]]:
        """For what routes are left alone longer than a call waits by itself, each with how many seconds are left."""
        shut = ((lane.shut(now), lane) for lane in self._lanes() if lane.closed is None)
        return [(fault, lane.opens_at(now) - now) for fault, lane in shut if fault is not None]

    def _lanes(self) -> Iterator[Lane]:
        return (lane for gate in self._gates.values() for lane in gate.lanes)
