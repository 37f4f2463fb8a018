"""Health, to find out whether a provider can be asked: is its key set, does it answer, what has it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace

from smoadsl.adapters import open_adapter
from smoadsl.adapters.base import Adapter, Connection, Fault, FaultKind, Lists
from smoadsl.adapters.words import Secrets, without
from smoadsl.calls.keys import Bound
from smoadsl.calls.route import Provider
from smoadsl.calls.session import Opener, Session
from smoadsl.classes import dataclass

_NO_LIST = (404, 405, 501)  # what who lists no models says to the question


@dataclass(frozen=True, slots=True)
class Health:
    """How one provider is. `key` names the variable of its key, empty for none, `key_is_set` says whether that has a
    value. `seconds` is how long it took to answer, None where it did not; `models` are those that it lists, None where
    it lists none; `lacking` are those that are wanted and not listed. `said` is what is wrong, or worth knowing."""

    provider: str
    adapter: str
    base_url: str
    key: str
    key_is_set: bool
    well: bool
    seconds: float | None = None
    models: tuple[str, ...] | None = None
    lacking: tuple[str, ...] = ()
    said: str = ""


async def examine(
    provider: Provider,
    environ: Mapping[str, str],
    wanted: tuple[str, ...] = (),
    within_s: float = 5.0,
    opener: Opener = open_adapter,
    allowed: Collection[Bound] = frozenset(),
) -> Health:
    """Ask a provider for its models, once and no longer than that. Nothing is paid for, and no key is in the result."""
    variable = provider.api_key.name if provider.api_key else ""
    found = Health(
        provider.name, provider.adapter, provider.base_url, variable, bool(environ.get(variable, "").strip()), False
    )
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(within_s):
            session = Session({provider.name: provider}, environ, opener, allowed)
            adapter = opener(provider.adapter, _impatient(session.connection(provider.name), within_s))
            async with aclosing(adapter):
                models = await _models(adapter, provider, session.connection(provider.name).secrets)
    except TimeoutError:
        return replace(found, said=f"{provider.name} gave no answer within {within_s:g} s")
    except Fault as fault:
        return replace(found, said=fault.message)
    seconds = asyncio.get_running_loop().time() - begun
    if models is None:
        return replace(found, well=True, seconds=seconds, said=f"{provider.name} lists no models")
    asked = wanted if provider.base_url else ()  # inside the process any file may be a model
    lacking = tuple(model for model in asked if not _is_listed(model, models))
    return replace(found, well=True, seconds=seconds, models=models, lacking=lacking)


async def _models(adapter: Adapter, provider: Provider, secrets: Iterable[str]) -> tuple[str, ...] | None:
    """Those that are listed, sorted, without a secret; None where the provider has no list. Raises `Fault`."""
    if not isinstance(adapter, Lists):
        message = f"the adapter {provider.adapter} can not tell how {provider.name} is"
        raise Fault(FaultKind.LOCAL, message)
    try:
        sought = Secrets(secrets)
        return tuple(sorted(without(model, sought) for model in await adapter.models()))
    except Fault as fault:
        if fault.kind is FaultKind.STATUS and fault.status in _NO_LIST:
            return None
        raise


def _impatient(connection: Connection, within_s: float) -> Connection:
    return replace(
        connection,
        connect_timeout_s=within_s,
        first_byte_timeout_s=within_s,
        idle_timeout_s=within_s,
        total_timeout_s=within_s,
    )


def _is_listed(model: str, models: tuple[str, ...]) -> bool:
    """Whether a model is among those listed, some of which have a tag that need not be said (`llama3:latest`)."""
    return model in models or f"{model}:latest" in models or model.removeprefix("models/") in models
