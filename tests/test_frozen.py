"""Test frozen, to see that what is written as JSON comes back as it was, and that nothing else is read."""

from dataclasses import FrozenInstanceError, field
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import ValidationError

from smoadsl.frozen import Frozen, Reader, ToldBy


class Leaf(Frozen):
    type: Literal["leaf"] = "leaf"
    size: float
    price: Decimal = Decimal(0)


class Branch(Frozen):
    type: Literal["branch"] = "branch"
    parts: "tuple[Part, ...]" = ()
    notes: dict[str, str] = field(default_factory=dict)


Part = Annotated[Leaf | Branch, ToldBy("type")]
TREE = Branch(parts=(Leaf(size=1.5, price=Decimal("0.10")), Branch(notes={"a": "b"})))
TEXT = (
    '{"type":"branch","parts":[{"type":"leaf","size":1.5,"price":"0.10"},'
    '{"type":"branch","parts":[],"notes":{"a":"b"}}],"notes":{}}'
)


def test_what_is_written_is_read_again() -> None:
    assert TREE.model_dump_json() == TEXT
    assert repr(Branch.model_validate_json(TEXT)) == repr(TREE)
    assert Branch.model_validate(TREE.model_dump()) == TREE
    assert Reader[Leaf | Branch](Part).validate_json(TEXT) == TREE


def test_parts_may_be_left_out() -> None:
    assert TREE.model_dump(mode="json", exclude={"parts"}) == {"type": "branch", "notes": {}}
    assert TREE.model_dump_json(exclude={"parts"}) == '{"type":"branch","notes":{}}'


@pytest.mark.parametrize(
    ("text", "why"),
    {
        '{"type":"leaf","size":1,"colour":"green"}': "unexpected",
        '{"type":"leaf"}': "Missing|missing|required",
        '{"type":"leaf","size":"much"}': "number",
        '{"type":"twig"}': "'leaf', 'branch'",
        '{"size":1}': "discriminator",
        "{": "EOF",
    }.items(),
)
def test_nothing_else_is_read(text: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Reader[Leaf | Branch](Part).validate_json(text)


def test_it_is_not_changed_but_copied() -> None:
    leaf = Leaf(size=1.0)
    with pytest.raises(FrozenInstanceError, match="Leaf is frozen"):
        leaf.size = 2.0  # type: ignore[misc]
    assert leaf.model_copy(update={"size": 2.0}) == Leaf(size=2.0) != leaf
    with pytest.raises(TypeError, match="colour"):
        leaf.model_copy(update={"colour": "green"})
