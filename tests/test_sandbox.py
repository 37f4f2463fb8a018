"""Test sandbox, to hold templates to their bounds: no escape, no exhaustion, no template made of a model's text."""

import resource
import sys
import time

import pytest

from smoadsl.runtime.render import RenderError, render

VALUES = {
    "prompt": "hi {{ 7*7 }}",
    "references": [{"text": "{{ 7*7 }} {% for x in y %}", "agent": "a", "score": None, "feedback": ""}] * 2,
    "xs": list(range(100)),
    "text": "x" * 1000,
}

ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ prompt.__class__ }}",
    "{{ prompt['__class__'] }}",
    "{{ references | map(attribute='__class__') | list }}",
    "{{ references[0].keys.__self__ }}",
    "{{ self }}",
    "{{ lipsum() }}",
    "{{ cycler('a') }}",
    "{{ joiner() }}",
    "{{ namespace() }}",
    "{{ config }}",
    "{{ request }}",
    "{{ '{0.__class__}'.format(prompt) }}",
    "{{ '%s' % prompt }}",
    "{{ prompt | attr('__class__') }}",
    "{{ prompt | xmlattr }}",
    "{% include 'x' %}",
    "{% import 'x' as x %}",
    "{% extends 'x' %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ _tick() }}",
    "{{ _concat('a') }}",
    "{% set references = 1 %}{{ references.x }}",
    "{{ unknown_name }}",
]

EXHAUSTIONS = [
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 1000000000 * 'a' }}",
    "{{ 9999999999 * 9999999999 * 9999999999 }}",
    "{{ range(1000000000) }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in xs %}{% for b in xs %}{% for c in xs %}{% for d in xs %}" + "{% endfor %}" * 4,
    "{% for a in range(99999) %}{{ text }}{% endfor %}",
    "{% set a = text %}" + "{% set a = a ~ a %}" * 30 + "{{ a }}",
    "{% set a = text %}" + "{% set a = a + a %}" * 30 + "{{ a }}",
    "{% set a = xs %}" + "{% set a = a + a %}" * 30 + "{{ a }}",
    "{{ text | indent(1000000000) }}",
    "{{ text | replace('x', text) | replace('x', text) }}",
    "{{ xs | join(text * 1000) | replace('x', text) }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ 2 ** 1000000000 }}",
    "{{ 'a' | format(1) }}",
    "{{ (((((" * 100 + "1" + ")))))" * 100 + " }}",
    "{% if a %}" * 300 + "{% endif %}" * 300,
    "{% for a in xs %}" * 30 + "{% endfor %}" * 30,
    "{{ [" * 200 + "]" * 200 + " }}",
    "{{ 1" + " + 1" * 30_000 + " }}",
]

FINE = {
    "{% if false %}{{ 'a' * 1000000000 }}{% endif %}": "",  # Jinja would fold this to a gigabyte before it looks
    "{{ prompt }}": "hi {{ 7*7 }}",
    "{{ references[0].text }}": "{{ 7*7 }} {% for x in y %}",
    "{% for r in references %}[{{ loop.index }} {{ r.agent | upper }}]{% endfor %}": "[1 A][2 A]",
    "{{ 'a' ~ 1 ~ none }}": "a1None",
    "{{ 'ab' * 3 + 'c' }}": "abababc",
    "{{ xs[:3] | join(', ') }}": "0, 1, 2",
    "{{ 7 % 4 }} {{ 3 * 4 }}": "3 12",
    "{{ ' x '.strip() }}{% if references %}!{% endif %}": "x!",
    "{{ {'a': 1} | tojson }}": '{"a":1}',
    "{{ 'a\\nb' | indent(2) }}": "a\n  b",
}


@pytest.mark.parametrize("template", ESCAPES)
def test_nothing_is_reached_that_was_not_given(template: str) -> None:
    with pytest.raises(RenderError):
        render(template, "t", VALUES)


@pytest.mark.parametrize("template", EXHAUSTIONS, ids=range(len(EXHAUSTIONS)))
def test_nothing_grows_without_a_bound(template: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    with pytest.raises(RenderError):
        render(template, "t", VALUES)
    assert time.process_time() - begun < 5.0  # a hang, not a speed: alone each takes less than half a second
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 96 * 1024


@pytest.mark.parametrize(("template", "text"), FINE.items(), ids=FINE)
def test_what_authors_write_works(template: str, text: str) -> None:
    assert render(template, "t", VALUES) == text
