"""Values, to make what every call makes by the dozen without what costs more than it: guarding it, and checking it."""

from typing import TYPE_CHECKING, Any, TypeVar

from smoadsl.classes import dataclass
from smoadsl.frozen import Frozen

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen: bool, **options: bool) -> Any:
        """`dataclass`, whose values the type checker alone keeps from being changed: to make one that is frozen at run
        time takes three times as long."""
        assert frozen, "a value is never changed"
        return dataclass(unsafe_hash=options.get("eq", True), **options)


__all__ = ("model_of", "value")

T = TypeVar("T", bound=Frozen)
_new, _set = object.__new__, object.__setattr__


def model_of(kind: type[T], **values: Any) -> T:
    """One of values of ours, made in a third of the time. All of its fields have to be given, in the order of the
    class: they come in that order in its JSON."""
    model = _new(kind)
    _set(model, "__dict__", values)
    return model
