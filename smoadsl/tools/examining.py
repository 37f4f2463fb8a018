"""Examining, to find the providers that are worth a look, those of files or those at hand, and examine all at once."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any

from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls.health import Health, examine
from smoadsl.calls.keys import Bound
from smoadsl.calls.route import Env, Provider
from smoadsl.plan.plan import Plan, routes_of

Wanted = tuple[Provider, tuple[str, ...]]  # a provider, and the models that are wanted of it


def at_hand(environ: Mapping[str, str]) -> list[Wanted]:
    """The well-known providers whose key is set, and the servers that would be on this machine."""
    rows = [
        (name, row)
        for name, row in WELL_KNOWN.items()
        if row.base_url and (environ.get(row.key, "").strip() if row.key else True)
    ]
    return [(Provider(name, row.adapter, row.base_url, Env(row.key) if row.key else None), ()) for name, row in rows]


def needed_by(plans: Iterable[Plan]) -> list[Wanted]:
    """The providers that plans may call, each once, with the models that they would ask."""
    found: list[tuple[Provider, list[str]]] = []
    for plan in plans:
        for route in routes_of(plan):
            provider = plan.providers[route.provider]
            models = next((models for known, models in found if known == provider), None)
            if models is None:
                models = []
                found.append((provider, models))
            if route.model not in models:
                models.append(route.model)
    return [(provider, tuple(models)) for provider, models in found]


def examined(
    wanted: Sequence[Wanted],
    environ: Mapping[str, str],
    within_s: float = 5.0,
    allowed: Collection[Bound] = frozenset(),
) -> list[Health]:
    """How each of them is, all asked at once, so that it takes no longer than the slowest. Keys may go where it is
    well known or `allowed`."""

    async def all_at_once() -> list[Health]:
        asyncio.get_running_loop().set_default_executor(_Daemons())
        return await asyncio.gather(
            *(examine(one, environ, models, within_s, allowed=allowed) for one, models in wanted)
        )

    return asyncio.run(all_at_once())


class _Daemons(ThreadPoolExecutor):
    """Threads that nobody waits for: a name server that is silent can not be interrupted, and would hold up the end."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        if future.set_running_or_notify_cancel():
            Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing is to be given back."""
