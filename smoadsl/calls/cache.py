"""Cache, to answer a call from what the same call was answered before."""

from collections.abc import Mapping
from typing import Protocol

from smoadsl.adapters.base import Reply
from smoadsl.calls.attempt import Ask
from smoadsl.calls.route import Provider, Route


class Cache(Protocol):
    def find(self, providers: Mapping[str, Provider], route: Route, ask: Ask) -> Reply | None: ...
    def keep(self, providers: Mapping[str, Provider], route: Route, ask: Ask, reply: Reply) -> None: ...
