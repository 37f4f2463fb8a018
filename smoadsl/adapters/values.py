"""Values, to make what every call makes by the dozen without what costs more than it: guarding it, and checking it."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen: bool, **options: bool) -> Any:
        """`dataclass`, whose values the type checker alone keeps from being changed: to make one that is frozen at run
        time takes three times as long."""
        assert frozen, "a value is never changed"
        return dataclass(unsafe_hash=options.get("eq", True), **options)


__all__ = ("model_of", "value")

Model = TypeVar("Model", bound=BaseModel)

_set = object.__setattr__


def model_of(kind: type[Model], **values: Any) -> Model:
    """A pydantic model of values of ours, which need not be checked. All of its fields have to be given, in the order
    of the class: they come in that order in its JSON."""
    model = kind.__new__(kind)
    _set(model, "__dict__", values)
    _set(model, "__pydantic_fields_set__", _fields(kind))
    _set(model, "__pydantic_extra__", None)
    _set(model, "__pydantic_private__", None)
    return model


@cache
def _fields(kind: type[BaseModel]) -> set[str]:
    return set(kind.model_fields)
