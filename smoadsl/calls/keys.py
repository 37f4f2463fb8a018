"""Keys, to hand each key only to the origin that it is bound to, whatever a file says."""

import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from smoadsl.adapters import ADAPTERS
from smoadsl.adapters.address import is_loopback, origin
from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls.route import Env, Provider
from smoadsl.classes import dataclass

_ADAPTER = "adapter:"
_HOST = re.compile(r"[\w.:-]+")  # no pattern: each origin is allowed by itself


class Bound(NamedTuple):
    """An environment variable, and an origin that its value may be sent to: scheme, host and port, or `adapter:NAME`
    for an adapter that alone knows where it sends."""

    variable: str
    origin: str

    def __str__(self) -> str:
        return f"{self.variable}={self.origin}"


_WELL_KNOWN = frozenset(Bound(row.key, origin(row.base_url)) for row in WELL_KNOWN.values() if row.key)


class Unbound(Exception):
    """Keys that would go where nobody has allowed them to go; the message says which, and what would allow it."""

    def __init__(self, refused: Iterable[tuple[str, Bound]]) -> None:
        pairs = list(refused)
        told = ", ".join(f"{bound.variable} would go to {bound.origin} (provider {name})" for name, bound in pairs)
        options = " ".join(f"--allow-env {shlex.quote(str(bound))}" for _, bound in pairs)
        super().__init__(f"{told}: that was never allowed; if it is meant, add {options}")


def bound_of(text: str) -> Bound:
    """What `NAME=ORIGIN` allows. Raises `ValueError`, whose message is the end of a sentence."""
    variable, equals, place = (part.strip() for part in text.partition("="))
    if not (variable and equals and place):
        raise ValueError(f"takes NAME=ORIGIN, such as LAB_KEY=https://llm.example.org, not {text!r}")
    if place.startswith(_ADAPTER):
        return Bound(variable, place)
    try:
        parts = urlsplit(place)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not _HOST.fullmatch(host) or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ValueError(f"takes an origin such as https://llm.example.org, not {place!r}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"takes scheme, host and port alone: {shlex.quote(f'{variable}={origin(place)}')}")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"takes no http:// but to this machine, as the key would be sent in the clear: {place!r}")
    return Bound(variable, origin(place))


@dataclass(frozen=True, slots=True)
class Keys:
    """Where the values of keys are looked up, and what is allowed of them beside what is well known: the variable of a
    well-known provider goes to that provider, and everything to this machine."""

    environ: Mapping[str, str]
    allowed: Collection[Bound] = frozenset()

    def value(self, provider: Provider, env: Env) -> str:
        """The value of a provider's variable. Raises `Fault` when it is not set, or not for that provider."""
        if not (value := env.value_in(self.environ)):
            message = f"{provider.name} needs a key: set {env.name}, or swap the model with --model NAME=provider/id"
            raise Fault(FaultKind.LOCAL, message)
        if not self._allows(provider, env):
            raise Fault(FaultKind.LOCAL, str(Unbound([(provider.name, _asked(provider, env))])))
        return value

    def check(self, providers: Iterable[Provider]) -> None:
        """Before anything is paid for: raises `Unbound` when a key that is set would go where it may not."""
        refused = {
            _asked(provider, env): provider.name
            for provider in providers
            for env in provider.variables
            if env.value_in(self.environ) and not self._allows(provider, env)
        }
        if refused:
            raise Unbound((name, bound) for bound, name in refused.items())

    def _allows(self, provider: Provider, env: Env) -> bool:
        asked = _asked(provider, env)
        if asked in self.allowed:
            return True
        if provider.adapter not in ADAPTERS:  # whether one of another package heeds `base_url` is not known
            return False
        return asked in _WELL_KNOWN or is_loopback(urlsplit(provider.base_url).hostname or "")


def _asked(provider: Provider, env: Env) -> Bound:
    return Bound(env.name, origin(provider.base_url) if provider.base_url else _ADAPTER + provider.adapter)
