"""Test fields, to hold what is told of a template's fields to what happens when it is filled: neither more nor less."""

from dataclasses import fields
from itertools import product

import pytest
from jinja2 import Environment

from smoadsl.builtins.prompts import LISTS, PLACES, SINGLE
from smoadsl.language.fields import missing_fields
from smoadsl.runtime.prompts import Response
from smoadsl.runtime.render import RenderError, render

RESPONSES = [Response(name, f"text of {name}", None, 3.0, "a remark").data() for name in ("a", "b", "c")]
VALUES = {"references": RESPONSES, "own": RESPONSES[0], "messages": [{"role": "user", "content": "Hello."}] * 3}
SEQUENCES = (
    "NAME", "NAME[1:]", "NAME | list", "NAME | reverse | list", "(NAME | unique(attribute='FIRST') | list)",
    "(NAME | sort(attribute='FIELD'))", "(NAME | selectattr('FIELD') | list)",
)  # fmt: skip
READ = (
    "{% for one in SEQUENCE %}{{ one.FIELD }}{% endfor %}",
    "{% for one in SEQUENCE if one['FIELD'] != '' %}{{ loop.index }}{% endfor %}",
    "{{ (SEQUENCE)[0].FIELD }}",
    "{% set one = SEQUENCE | first %}{% if one %}{{ one.FIELD }}{% endif %}",
    "{% if prompt is defined %}{% set one = 1 %}{% else %}{% set one = NAME[0] %}{% endif %}{{ (NAME | last).FIELD }}",
    "{{ SEQUENCE | map(attribute='FIELD') | join(', ') }}",
    "{% for one in SEQUENCE %}{% for other in NAME %}{{ other.FIELD }}{% endfor %}{% endfor %}",
)
FIELDS = ("text", "agent", "score", "feedback", "role", "content", "txt", "name")
CASES = [
    (name, read.replace("SEQUENCE", sequence).replace("NAME", name).replace("FIELD", field))
    for name, read, sequence, field in product(("references", "messages"), READ, SEQUENCES, FIELDS)
]


def failed(template: str) -> str:
    """Why a template can not be filled; empty where it can."""
    try:
        render(template, "t", VALUES)
    except RenderError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["references", "messages"])
def test_what_is_told_can_not_be_filled_and_what_can_not_is_told(name: str) -> None:
    for template in [template.replace("FIRST", LISTS[name].fields[0]) for of, template in CASES if of == name]:
        told = [one.name for one in missing_fields(Environment().parse(template), PLACES["propose"])]
        why = failed(template)
        assert bool(told) == bool(why), template
        assert all(field in why for field in told[:1]), template


def test_a_list_has_no_fields_of_its_own() -> None:
    for name in VALUES:
        template = f"{{{{ {name}.anything }}}}"
        assert [one.name for one in missing_fields(Environment().parse(template), PLACES["propose"])] == ["anything"]
        with pytest.raises(RenderError, match="anything"):
            render(template, "t", VALUES)


def test_the_fields_are_those_that_a_run_gives() -> None:
    assert set(LISTS["references"].fields) == set(RESPONSES[0]) == {f.name for f in fields(Response)} - {"form"}
    assert LISTS["responses"] == LISTS["references"] == SINGLE["own"]
    assert set(LISTS) | set(SINGLE) <= {name for names in PLACES.values() for name in names}
