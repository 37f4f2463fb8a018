"""Test classes, to hold our dataclasses to Python's: what is made of one declaration does the same in both."""

import copy
import dataclasses
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import pytest

from smoadsl import classes

FORMS: list[dict[str, Any]] = [
    {},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "repr": False},
    {"kw_only": True},
    {"eq": False},
    {"unsafe_hash": True, "slots": True},
]
MAKERS: tuple[Any, Any] = (dataclasses.dataclass, classes.dataclass)


def declared(maker: Any, form: dict[str, Any]) -> Any:
    """One declaration with all that ours have."""

    class Base:
        first: int
        rest: "list[int]" = dataclasses.field(default_factory=list, compare=False)

    base = maker(**form)(Base)

    class Derived(base):  # type: ignore[valid-type,misc]
        kind: ClassVar[str] = "kind"
        text: str = "text"
        secret: str | None = dataclasses.field(default=None, repr=False)
        made: "tuple[int, ...]" = dataclasses.field(init=False, default=(1, 2))

    return maker(**form)(Derived)


def outcome(does: Callable[[], object]) -> str:
    """What comes of something, as text: also where it is an error."""
    try:
        return repr(does())
    except Exception as error:
        told = str(error) if isinstance(error, TypeError) else ""
        return f"{type(error).__name__} {told}"


NAN = float("nan")
DEEDS: dict[str, Callable[[Any], object]] = {
    "by place": lambda kind: vars_of(kind(1, [2], "t")),
    "by name": lambda kind: vars_of(kind(first=1, secret="s")),
    "nothing given": lambda kind: kind(),
    "too much given": lambda kind: kind(1, [], "t", "s", "more"),
    "an unknown name": lambda kind: kind(first=1, other=2),
    "what is not to be given": lambda kind: kind(first=1, made=()),
    "a list of its own": lambda kind: kind(first=1).rest is kind(first=1).rest,
    "equal": lambda kind: kind(first=1, rest=[1]) == kind(first=1, rest=[2]),
    "not equal": lambda kind: kind(first=1) == kind(first=2),
    "of another class": lambda kind: kind(first=1) == object(),
    "not a number": lambda kind: kind(first=NAN) == kind(first=NAN),
    "hashes": lambda kind: len(set(map(hash, [kind(first=1), kind(first=1, rest=[3])]))),  # both there at once
    "is hashable": lambda kind: kind.__hash__ is None,
    "shown": lambda kind: repr(kind(first=1, secret="s")).partition(".Derived")[2].partition(" at 0x")[0],
    "replaced": lambda kind: vars_of(dataclasses.replace(kind(first=1), text="new")),
    "as a dict": lambda kind: dataclasses.asdict(kind(first=1, rest=[2])),
    "fields": lambda kind: [(one.name, one.type, one.init, one.kw_only) for one in dataclasses.fields(kind)],
    "matched": lambda kind: kind.__match_args__,
    "changed": lambda kind: setattr(kind(first=1), "text", "new"),
    "taken away": lambda kind: delattr(kind(first=1), "text"),
    "something new": lambda kind: hasattr(kind(first=1), "__dict__"),
    "copied": lambda kind: vars_of(copy.copy(kind(first=1))),
    "copied deeply": lambda kind: vars_of(copy.deepcopy(kind(first=1, rest=[1]))),
    "its init": lambda kind: (kind(first=1), kind.__init__.__qualname__.rpartition(".")[2])[1],
}


def vars_of(made: Any) -> dict[str, object]:
    return {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: " ".join(form) or "plain")
@pytest.mark.parametrize("deed", DEEDS)
def test_ours_do_what_pythons_do(form: dict[str, Any], deed: str) -> None:
    theirs, ours = (outcome(partial(DEEDS[deed], declared(maker, form))) for maker in MAKERS)
    assert ours == theirs


def test_what_is_done_after_is_done() -> None:
    @classes.dataclass
    class Doubled:
        number: int

        def __post_init__(self) -> None:
            self.number *= 2

    assert [Doubled(1).number, Doubled(2).number] == [2, 4]


def test_threads_may_make_the_first_objects_together() -> None:
    for _ in range(50):
        kind, gate, made = declared(classes.dataclass, {"frozen": True}), threading.Barrier(4), list[object]()

        def make(kind: Any = kind, gate: threading.Barrier = gate, made: list[object] = made) -> None:
            gate.wait()
            made.append(kind(first=1))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [kind(first=1)] * 4
