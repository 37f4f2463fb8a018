"""Resolve, to turn a provider's name into addresses, and into none of a private network unless its author said so.

What is looked up is what is connected to: a name that changes its mind in between is of no use to anybody.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from smoadsl.adapters.address import is_loopback, is_private
from smoadsl.adapters.base import Connection, Fault, FaultKind


class Resolver(AbstractResolver):
    """Raises `Fault` where a name leads into private networks alone. `system` does the looking up."""

    def __init__(self, connection: Connection, system: AbstractResolver | None = None) -> None:
        self._connection = connection
        self._system = system or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        if is_loopback(host):  # such a name is trusted with any key, so it is held to what it means
            if not all(is_loopback(one["host"]) for one in found):
                name = self._connection.provider
                raise Fault(FaultKind.LOCAL, f"the base_url of {name} names this machine, and leads to another")
            return found
        if self._connection.local:
            return found
        allowed = [one for one in found if not is_private(one["host"])]
        if found and not allowed:
            message = f"the base_url of {self._connection.provider} leads into a private network: declare the provider"
            raise Fault(FaultKind.LOCAL, f"{message} with local = true")
        return allowed

    async def close(self) -> None:
        await self._system.close()
