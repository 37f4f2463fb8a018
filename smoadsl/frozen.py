"""Frozen, to hold what is written as JSON or read from it. pydantic does both, and is imported when there is either."""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, dataclass_transform

from smoadsl.classes import dataclass

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Frozen:
    """A dataclass whose fields are given by name. They are checked where one is read, and by the type checker where one
    is made. What is read has no other fields."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    def model_copy(self, *, update: Mapping[str, Any]) -> Self:
        """The same but for some fields."""
        made: Any = self
        same: Self = replace(made, **update)
        return same

    def model_dump(self, *, mode: str = "python", exclude: set[str] | None = None) -> dict[str, Any]:
        """Its fields as a dict; with the mode `json`, as what JSON can hold."""
        fields: dict[str, Any] = _adapter(type(self)).dump_python(self, mode=mode, exclude=exclude)  # type: ignore[arg-type]
        return fields

    def model_dump_json(self, *, indent: int | None = None, exclude: set[str] | None = None) -> str:
        """It as JSON."""
        return _adapter(type(self)).dump_json(self, indent=indent, exclude=exclude).decode()

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        """One that was written as JSON. Raises `pydantic.ValidationError`."""
        read: Self = _adapter(cls).validate_json(text)
        return read

    @classmethod
    def model_validate(cls, value: object) -> Self:
        """One of a dict of its fields. Raises `pydantic.ValidationError`."""
        read: Self = _adapter(cls).validate_python(value)
        return read


class ToldBy:
    """In an annotation: the field by which the members of a union are told apart."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic import Discriminator

        return Discriminator(self._field).__get_pydantic_core_schema__(source, handler)


class Reader(Generic[T]):
    """Reads what is of a type, which may be a union."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def validate_json(self, text: str | bytes) -> T:
        """What was written as JSON. Raises `pydantic.ValidationError`."""
        read: T = _adapter(self._kind).validate_json(text)
        return read


def _made_adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


_adapter: Callable[[Any], "TypeAdapter[Any]"] = cache(_made_adapter)
