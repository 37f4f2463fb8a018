"""Session, to hold what a run needs of the outside: keys found, adapters opened on first use and closed at the end."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, Request
from smoadsl.builtins.providers import dialect_of
from smoadsl.calls.pace import Pace
from smoadsl.calls.route import Env, Provider

Opener = Callable[[str, Connection], Adapter]  # the adapter's name, and what it connects to


class Session:
    """An asynchronous context manager. `environ` is where keys are looked up, `opener` how adapters are made."""

    def __init__(
        self, providers: Mapping[str, Provider], environ: Mapping[str, str], opener: Opener = open_adapter
    ) -> None:
        self.providers = providers
        self._environ = environ
        self._opener = opener
        self._adapters: dict[str, Adapter] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._paces: dict[tuple[str, str], Pace] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def adapter(self, name: str) -> Adapter:
        """The provider's adapter. Raises `Fault` when a key that it needs is not set."""
        if name not in self._adapters:
            provider = self.providers[name]
            key = self._secret(provider, provider.api_key) if provider.api_key else None
            headers = {
                header: self._secret(provider, value) if isinstance(value, Env) else value
                for header, value in provider.headers.items()
            }
            connection = Connection(
                name,
                provider.base_url,
                key,
                headers,
                provider.local,
                first_byte_timeout_s=provider.timeout_s,
                total_timeout_s=provider.timeout_s,
                dialect=dialect_of(provider.adapter, provider.base_url),
            )
            adapter = self._opener(provider.adapter, connection)
            self._stack.push_async_callback(adapter.aclose)
            self._adapters[name] = adapter
        return self._adapters[name]

    def slot(self, name: str) -> asyncio.Semaphore:
        """Bounds the calls to a provider that are under way at once."""
        if name not in self._slots:
            self._slots[name] = asyncio.Semaphore(self.providers[name].concurrency)
        return self._slots[name]

    async def paced(self, name: str, request: Request) -> None:
        """Wait until the provider's declared rates allow another call."""
        provider = self.providers[name]
        if provider.rate_per_s is not None:
            await self._pace(name, "calls", provider.rate_per_s).take(1)
        if provider.tokens_per_s is not None:
            await self._pace(name, "tokens", provider.tokens_per_s).take(tokens_at_most(request))

    def _pace(self, name: str, unit: str, per_s: float) -> Pace:
        if (name, unit) not in self._paces:
            self._paces[name, unit] = Pace(per_s)
        return self._paces[name, unit]

    def _secret(self, provider: Provider, env: Env) -> str:
        value = self._environ.get(env.name, "").strip()
        if not value:
            raise Fault(
                FaultKind.LOCAL,
                f"{provider.name} needs a key: set {env.name}, or swap the model with --model NAME=provider/id",
            )
        return value


def tokens_at_most(request: Request) -> int:
    """The most tokens that a request can take: one for two bytes of its messages, and all that it may answer."""
    return (
        sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages) // 2
        + request.sampling.max_tokens
    )
