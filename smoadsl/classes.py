"""Classes, to make dataclasses by the hundred for a tenth of the time that Python's own take.

What makes those dear is that each of their methods is written as text and compiled, whether it is ever called or not.
Of these only `__init__` is, and that when the first object is made. In all else they are dataclasses: `fields`,
`replace` and `asdict` take them, and the type checker sees Python's own.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        kind: type | None = None,
        /,
        *,
        frozen: bool = False,
        eq: bool = True,
        repr: bool = True,
        slots: bool = False,
        kw_only: bool = False,
        unsafe_hash: bool = False,
    ) -> Any:
        """`dataclasses.dataclass`, but for `order`, `init` and `match_args`."""
        bare = dataclasses.dataclass(init=False, eq=False, repr=False, slots=slots, kw_only=kw_only)

        def made(kind: type) -> type:
            kind.__doc__ = kind.__doc__ or kind.__name__  # else its signature is worked out for it
            kind = bare(kind)
            kind.__init__ = _init_of(kind, frozen)
            if eq:
                _add_equality(kind, frozen or unsafe_hash)
            if repr:
                kind.__repr__ = _repr
            if frozen:
                kind.__setattr__, kind.__delattr__ = _refuse, _refuse
            if frozen and slots:
                kind.__getstate__, kind.__setstate__ = _state, _restore
            return kind

        return made if kind is None else made(kind)


__all__ = ("dataclass",)


def _init_of(kind: Any, frozen: bool) -> Callable[..., None]:
    """The `__init__` of a class: it is written when it is called first."""

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        kind.__init__ = _written_init(kind, frozen)
        kind.__init__(self, *given, **named)

    return __init__


def _written_init(kind: Any, frozen: bool) -> Callable[..., None]:
    given: list[str] = ["self"]
    named: list[str] = []
    body = ["pass"]
    at_once = frozen and kind.__dictoffset__  # all fields in one step, past what refuses changes
    put: list[str] = []
    known: dict[str, Any] = {"MISSING": MISSING, "put": object.__setattr__}
    for field in fields(kind):
        name, value = field.name, field.name
        default = f"=of_{name}"
        if field.default_factory is not MISSING:
            known[f"of_{name}"] = field.default_factory
            default, value = "=MISSING", f"of_{name}() if {name} is MISSING else {name}"
        elif field.default is not MISSING:
            known[f"of_{name}"] = field.default
        else:
            default = ""
        if field.init:
            (named if field.kw_only else given).append(name + default)
        elif default:
            value = f"of_{name}()" if default == "=MISSING" else f"of_{name}"
        if field.init or default:
            if at_once:
                put.append(f"{name}={value}")
            else:
                body.append(f"put(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if put:
        body.append(f"self.__dict__.update({', '.join(put)})")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join([*given, "*", *named] if named else given)
    exec(f"def __init__({parameters}):\n " + "\n ".join(body), known)  # nothing in it but names of a class of ours
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    return init


def _add_equality(kind: Any, hashed: bool) -> None:
    """Objects of a class are equal if what they are compared by is."""
    names = [field.name for field in fields(kind) if field.compare]
    parts: Callable[[Any], object] = (
        attrgetter(*names) if len(names) > 1 else lambda one: tuple(getattr(one, name) for name in names)
    )

    def __eq__(self: Any, other: object) -> bool:
        return parts(self) == parts(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(parts(self))

    kind.__eq__ = __eq__
    kind.__hash__ = __hash__ if hashed else None


def _repr(self: Any) -> str:
    parts = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise FrozenInstanceError(f"{type(self).__name__} is frozen: its {name!r} stays as it is")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, part in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, part)
