"""Recent, to work out once what is asked again and again of the very same thing, such as the messages of a layer."""

from collections.abc import Callable
from typing import Generic, TypeVar

_MOST = 64

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A function of one thing that knows its last results. Things are told apart by what they are, not by what they
    hold: looking at all of that would be as dear. So nothing may change that was asked for."""

    __slots__ = ("_known", "_make")

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._known: dict[int, tuple[K, V]] = {}  # each thing is kept, so that its number stays its own

    def __call__(self, thing: K) -> V:
        try:
            return self._known[id(thing)][1]
        except KeyError:
            pass
        if len(self._known) >= _MOST:
            self._known.clear()
        made = self._make(thing)
        self._known[id(thing)] = thing, made
        return made
