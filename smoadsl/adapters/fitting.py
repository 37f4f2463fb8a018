"""Fitting, to stop a request that its provider would refuse or take only in part, before it is sent."""

from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import get_args

from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind, Request, Sampling
from smoadsl.adapters.dialect import Dialect, Setting, refused

_SETTINGS = frozenset(get_args(Setting))
_NAMES = tuple(field.name for field in fields(Sampling) if field.name in _SETTINGS)
_values = attrgetter(*_NAMES)


def check_fits(adapter: str, connection: Connection, request: Request) -> None:
    """A fault that says what does not fit, if something does not."""
    dialect, name = connection.dialect, connection.provider
    given = given_settings(request.sampling)
    for reason in _refused(adapter, dialect, request.model, given, request.sampling.reasoning):
        raise Fault(FaultKind.LOCAL, f"{name} can not be asked like this: {reason}; leave it out")
    if request.n > 1 and not dialect.n:
        raise Fault(FaultKind.LOCAL, f"{name} can not be asked like this: it gives one answer to a request")


def given_settings(sampling: Sampling) -> tuple[str, ...]:
    """The settings that are given and that not every endpoint takes."""
    return tuple([name for name, given in zip(_NAMES, _values(sampling), strict=True) if given not in (None, ())])


@lru_cache(maxsize=1_000)
def _refused(
    adapter: str, dialect: Dialect, model: str, given: tuple[str, ...], reasoning: str | None
) -> tuple[str, ...]:
    return tuple(refused(adapter, dialect, model, given, reasoning).values())


def merged(body: Mapping[str, JSON], extra: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body with what the author adds to it, last: objects are merged, everything else takes the place of ours."""
    result = dict(body)
    for name, value in extra.items():
        ours = result.get(name)
        result[name] = merged(ours, value) if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return result
