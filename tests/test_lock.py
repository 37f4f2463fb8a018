"""Test lock, to hold the fingerprint of generated roles to what they are made from, and to nothing else."""

import pytest

from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.plan.compile import analyse

TEXT = """\
param n = 2
model spare = "groq/y"
model m = "groq/x" { temperature = 0.7 }
template ask = "Write {{ n }} roles: {{ dataset }} {{ task }}"
roles panel = generate(m, n) { dataset = "Sums.", task = "Add.", template = ask }
pipeline p {
  layer one { propose m * n as panel }
  aggregate spare
}
"""
SAMPLED = "{ temperature = 0.7 }"


def print_of(text: str, given: Given | None = None) -> str:
    outcome = analyse(Source("t.moa", text), given)
    assert outcome.ok
    assert outcome.value is not None
    (recipe,) = outcome.value.recipes
    return recipe.fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("groq/x", "groq/z"),
        ("groq/x", "openai/x"),
        ("0.7", "0.8"),
        (SAMPLED, ""),
        (SAMPLED, "{ temperature = 0.7, max_tokens = 100 }"),
        (SAMPLED, '{ temperature = 0.7, extra = { k = "v" } }'),
        ("param n = 2", "param n = 3"),
        ("Sums.", "Products."),
        ("Add.", "Multiply."),
        ("{{ n }} roles", "{{ n }} good roles"),
        (", template = ask", ""),
    ],
)
def test_what_roles_are_made_from_makes_their_lock_stale(old: str, new: str) -> None:
    assert print_of(TEXT.replace(old, new)) != print_of(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SAMPLED, "{ temperature = 0.70, price = { input = $1, output = $2 } }"),
        (SAMPLED, "{ timeout = 5s, temperature = 0.7, retries = 0 }"),
        (SAMPLED, '{ temperature = 0.7, fallback = spare, about = "Quick." }'),
        ("panel", "council"),
        ("groq/y", "groq/z"),
        ("template ask", "# asked so\ntemplate ask"),
    ],
)
def test_nothing_else_does(old: str, new: str) -> None:
    assert print_of(TEXT.replace(old, new)) == print_of(TEXT)


def test_a_model_that_is_swapped_does_not() -> None:
    assert print_of(TEXT, Given(models={"*": "local/smollm2-135m"})) == print_of(TEXT)
    assert print_of(TEXT, Given(params={"n": "2"})) == print_of(TEXT)
