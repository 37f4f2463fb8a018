"""Test template size, to hold what a template can write to what was said of it, whatever its responses are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.plan.template_size import MOST_TOKENS, Given, tokens_written
from smoadsl.runtime.render import render

TEMPLATES = (
    "Answer again.",
    "{{ prompt }} {{ references | fenced }}",
    "{% for r in references %}{{ r.text }}{% endfor %}",
    "{% for r in references %}\n- {{ loop.index }} {{ r.agent }}: {{ r.text }} by {{ role }} on {{ prompt }}\n"
    "{% endfor %}",
    "{% for r in references %}{% for s in references %}{{ r.text }} or {{ s.text }}; {% endfor %}{% endfor %}",
    "{% for r in references %}{% for m in messages %}{{ m.content }}{{ r.text }}{% endfor %}{% endfor %}",
    "{{ references | map(attribute='text') | join(' and ') }}",
    "{{ references | map(attribute='text') | join(prompt) }}",
    "{% if references %}{{ references[0].text }}{% else %}{{ prompt }}{% endif %}",
    "{% if references %}{% set a = references | first %}{{ a.text if a else prompt }}{{ a }}{% endif %}",
    "{{ references }} {{ references | tojson }} {{ messages }}",
    "{{ references | length }} {{ role or prompt }} {{ 'x' ~ prompt ~ role }}",
    "{% for r in references %}{{ r.feedback }}{{ r.text.strip() }}{% endfor %}{{ own.text if own }}",
    "{% for x in range(5) %}{{ prompt }}{% endfor %}"
    "{% for w in ['a', 'b'] %}{{ w }}{{ references | fenced }}{% endfor %}",
    "{{ prompt * 3 }}",
    "{{ references | fenced | indent(8) }}",
    "{% for x in range(references | length) %}{{ prompt }}{% endfor %}",
)
TEXTS = st.text(alphabet="ab \n\"'\\é漢\x00<&", max_size=60)


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass")) // 2 + 1


@pytest.mark.parametrize("template", TEMPLATES)
@given(st.lists(TEXTS, max_size=5), TEXTS, TEXTS)
def test_no_template_writes_more_than_was_said(template: str, texts: list[str], prompt: str, role: str) -> None:
    references = [{"text": text, "agent": f"a{n}", "score": None, "feedback": text[:9]} for n, text in enumerate(texts)]
    values: dict[str, Any] = {
        "references": references, "own": references[0] if references else None, "prompt": prompt, "role": role,
        "messages": [{"role": "user", "content": prompt}], "input": {},
    }  # fmt: skip
    written = render(template, "t", values)
    each = [size(text) + size(text[:9]) + 64 for text in texts]
    said = tokens_written(template, Given(sum(each), len(each), max(each, default=0), size(prompt) + 256, size(role)))
    assert size(written) <= said


@pytest.mark.parametrize(
    ("template", "most"),
    [
        ("{% for r in references %}{{ r.text }}{% endfor %}", 4_100),
        ("{{ prompt }}{{ references | fenced }}", 7_500),
        ("{% for r in references %}{% for s in references %}{{ s.text }}{% endfor %}{% endfor %}", 16_400),
    ],
)
def test_what_is_said_is_near_what_can_be(template: str, most: int) -> None:
    assert tokens_written(template, Given(4_000, 4, 1_000, 1_000, 64)) <= most


@pytest.mark.parametrize("template", ["{{ prompt * 99 }}", "{{ prompt | replace('a', 'bb') }}", "{{ broken"])
def test_what_can_not_be_bounded_is_as_much_as_any(template: str) -> None:
    assert tokens_written(template, Given(4_000, 4, 1_000, 1_000, 64)) == MOST_TOKENS
