"""Fitting, to stop a request that its provider would refuse or take only in part, before it is sent."""

from collections.abc import Mapping
from dataclasses import fields
from typing import get_args

from smoadsl.adapters.base import JSON, Connection, Fault, FaultKind, Request, Sampling
from smoadsl.adapters.dialect import Setting, refused

_SETTINGS = frozenset(get_args(Setting))


def check_fits(adapter: str, connection: Connection, request: Request) -> None:
    """A fault that says what does not fit, if something does not."""
    dialect, name = connection.dialect, connection.provider
    given = given_settings(request.sampling)
    for reason in refused(adapter, dialect, request.model, given, request.sampling.reasoning).values():
        raise Fault(FaultKind.LOCAL, f"{name} can not be asked like this: {reason}; leave it out")
    if request.n > 1 and not dialect.n:
        raise Fault(FaultKind.LOCAL, f"{name} can not be asked like this: it gives one answer to a request")


def given_settings(sampling: Sampling) -> tuple[str, ...]:
    """The settings that are given and that not every endpoint takes."""
    values = ((field.name, getattr(sampling, field.name)) for field in fields(sampling))
    return tuple(name for name, value in values if name in _SETTINGS and value not in (None, ()))


def merged(body: Mapping[str, JSON], extra: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body with what the author adds to it, last: objects are merged, everything else takes the place of ours."""
    result = dict(body)
    for name, value in extra.items():
        ours = result.get(name)
        result[name] = merged(ours, value) if isinstance(ours, Mapping) and isinstance(value, Mapping) else value
    return result
