"""Test schemas, to hold that every mistake of a schema is told where it is read, so that no answer finds one."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as some

from smoadsl.builtins.references import astray
from smoadsl.builtins.schemas import SchemaError, misfit, read_schema

WRONG: Mapping[str, str] = {
    '{"$ref": "#/$defs/a"}': "the reference `#/$defs/a` leads to nothing in this file",
    '{"$ref": "#a"}': "the reference `#a` leads to nothing in this file",
    '{"$dynamicRef": "#a"}': "the reference `#a` leads to nothing in this file",
    '{"$ref": "#/required/a", "required": ["a"]}': "the reference `#/required/a` leads to nothing in this file",
    '{"minItems": 1, "items": {"$ref": "#/minItems/x"}}': "the reference `#/minItems/x` leads to nothing in this file",
    '{"$ref": "#/type", "type": "string"}': "the reference `#/type` leads to what is no schema",
    '{"$ref": "a.json"}': "the reference `a.json` leads out of this file",
    '{"$ref": "https://[a"}': "the reference `https://[a` leads out of this file",
    '{"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#"}}}}': "the reference `#` leads only to itself",
    '{"$ref": "#/parts/a", "parts": {"a": {"type": "objekt"}}}': "at `type`, 'objekt' is not valid",
    '{"$ref": "#/parts/a", "parts": {"a": {"$ref": "#/parts/b"}}}': "the reference `#/parts/b` leads to nothing",
    '{"not":' * 500 + "{}" + "}" * 500: "it is nested too deeply",
}
RIGHT: Mapping[str, tuple[str, str]] = {  # each with an answer that fits it, and one that does not
    '{"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}': ('"x"', "1"),
    '{"$ref": "#/parts/0", "parts": [{"type": "string"}]}': ('"x"', "1"),
    '{"$ref": "#a", "$defs": {"b": {"$anchor": "a", "type": "string"}}}': ('"x"', "1"),
    '{"$id": "https://a.example/b", "items": {"$ref": "b#/$defs/c"}, "$defs": {"c": false}}': ("[]", "[1]"),
    '{"items": {"$ref": "#"}, "type": "array"}': ("[[[]]]", "[[1]]"),
    '{"properties": {"$ref": {"const": "#a"}}}': ('{"$ref": "#a"}', '{"$ref": "#b"}'),
    '{"enum": [{"$ref": "#a"}]}': ('{"$ref": "#a"}', "1"),
}
REFERENCES = some.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/items", "#/not", "#c", "d.json", "#/x"])
SCHEMAS = some.recursive(
    some.booleans() | some.just({}) | some.builds(lambda to: {"$ref": to}, REFERENCES),
    lambda inner: some.fixed_dictionaries(
        {},
        optional={"$ref": REFERENCES, "items": inner, "not": inner, "anyOf": some.lists(inner, min_size=1, max_size=2)},
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_schema_is_told(text: str) -> None:
    with pytest.raises(SchemaError) as told:
        read_schema(text)
    assert str(told.value).startswith(WRONG[text])
    assert "reference" not in WRONG[text] or told.value.help


@pytest.mark.parametrize("text", RIGHT)
def test_references_inside_a_schema_are_followed(text: str) -> None:
    fits, does_not = RIGHT[text]
    assert not misfit(read_schema(text), fits)
    assert misfit(read_schema(text), does_not)


@given(SCHEMAS, some.dictionaries(some.sampled_from("ab"), SCHEMAS))
def test_an_answer_can_be_held_against_every_schema_that_is_taken(schema: object, held: dict[str, object]) -> None:
    try:
        taken = read_schema(json.dumps({"items": schema, "$defs": held}))
    except SchemaError:
        return
    assert isinstance(misfit(taken, "[[[1], {}], {}]"), str)


def test_a_schema_that_many_refer_to_is_not_checked_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    times = 0

    def counted(schema: object) -> None:
        nonlocal times
        times += 1

    monkeypatch.setattr("smoadsl.builtins.references.Draft202012Validator.check_schema", counted)
    many = {f"p{place}": {"$ref": "#/$defs/node"} for place in range(100)}
    assert astray({"properties": many, "$defs": {"node": {"properties": many}}}) is None
    assert times <= 1


def test_an_answer_that_is_nested_without_end_is_no_answer() -> None:
    assert misfit(read_schema('{"items": {"$ref": "#"}}'), "[" * 900 + "]" * 900) == "it is nested too deeply"


def test_a_plan_of_elsewhere_is_told_what_it_lacks_in_plain_words() -> None:
    assert misfit({"$ref": "#/$defs/a"}, "1") == "the schema refers to `/$defs/a`, which it does not have"
