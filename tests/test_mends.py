"""Test mends, to hold what is told of a slip to its promise: mended as told, the file has no mistake."""

import re

import pytest

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.source import Source
from smoadsl.plan.compile import analyse

FILE = """
model qwen  = "groq/a"
model llama = "groq/b"
model lab   = "local_lab/c"
provider local_lab = openai {
  base_url = "https://lab.example/v1"
  rate     = 10/s
}
role skeptic = "You see far."
roles panel = ["You doubt.", "You build."]
pipeline p {
  layer one {
    propose qwen, llama
    judge   qwen keep 1
  }
  layer two repeat 2 {
    propose lab, qwen, llama as skeptic
    stop    when agreement > 0.5
  }
  aggregate qwen
}
"""
# what stands in the file, a slip in its place, and what is told
SLIPS = """
propose qwen, llama | propose qwen llama | propose qwen, llama
propose qwen, llama | propose qwen llama as panel | propose qwen, llama as panel
propose qwen, llama | propose qwen, llama lab lab sees none | propose qwen, llama, lab, lab sees none
propose qwen, llama | propose 3 * qwen | propose qwen * 3
propose qwen, llama | propose 3 qwen | propose qwen * 3
propose qwen, llama | propose qwen 3 | propose qwen * 3
propose qwen, llama | propose qwen x 3, llama | propose qwen * 3, llama
propose qwen, llama | propose qwen, 3 * llama | propose qwen, llama * 3
propose qwen, llama | propose 2 * qwen llama | propose qwen * 2, llama
judge   qwen keep 1 | judge best | judge qwen keep 1
judge   qwen keep 1 | judge best() | judge qwen keep 1
judge   qwen keep 1 | judge rank(llama) keep 1 | judge llama keep 1
judge   qwen keep 1 | judge qwen, llama keep 1 | judge qwen keep 1
judge   qwen keep 1 | judge [qwen, llama] keep 1 | judge qwen keep 1
keep 1 | keep 50% | keep 1
repeat 2 | repeat 50% | repeat 1
10/s | 60/minute | 60/min
10/s | 2/second | 2/s
10/s | 60/m | 60/min
10/s | 1_000/hour | 1_000/h
10/s | 2k/min | 2_000/min
10/s | 2400/day | 100/h
"You see far." | '''You see far.''' | "You see far."
layer two repeat 2 | layer two rounds 2 | layer two repeat 2
layer two repeat 2 | layer two times 2 | layer two repeat 2
stop    when agreement > 0.5 | moderator qwen | stop when moderator(qwen)
stop    when agreement > 0.5 | moderator(qwen) | stop when moderator(qwen)
stop    when agreement > 0.5 | moderator = qwen | stop when moderator(qwen)
stop    when agreement > 0.5 | stop moderator(qwen) | stop when moderator(qwen)
stop    when agreement > 0.5 | stop when moderator qwen | stop when moderator(qwen)
aggregate qwen | aggregate qwen, llama | aggregate qwen
aggregate qwen | aggregate [qwen, llama] | aggregate qwen
aggregate qwen | aggregate with qwen | aggregate qwen
aggregate qwen | aggregate by qwen | aggregate qwen
aggregate qwen | aggregate = qwen | aggregate qwen
judge   qwen keep 1 | judge qwen top 1 | judge qwen keep 1
judge   qwen keep 1 | judge qwen keep best 1 | judge qwen keep 1
judge   qwen keep 1 | judge with qwen keep 1 | judge qwen keep 1
judge   qwen keep 1 | judge qwen keep = 1 | judge qwen keep 1
layer two repeat 2 | layer two x 2 | layer two repeat 2
layer two repeat 2 | layer two * 2 | layer two repeat 2
stop    when agreement > 0.5 | until agreement > 0.5 | stop when agreement > 0.5
"groq/a" | "gpt-4o" | "openai/gpt-4o"
"groq/a" | openai("gpt-4o") | "openai/gpt-4o"
"groq/a" | "claude-sonnet-4" | "anthropic/claude-sonnet-4"
"""
ROWS = [tuple(part.strip() for part in row.split(" | ")) for row in SLIPS.strip().splitlines()]
NOT_PLAIN = """
propose qwen, llama | propose 3x qwen, llama
propose qwen, llama | propose qwen see none
10/s | 60/fortnight
"""


def said(text: str) -> list[Diagnostic]:
    return [one for one in analyse(Source("t.moa", text)).diagnostics if one.severity is Severity.ERROR]


def test_the_file_is_without_a_mistake() -> None:
    assert said(FILE) == []


@pytest.mark.parametrize(("written", "slip", "mended"), ROWS, ids=[slip for _, slip, _ in ROWS])
def test_mended_as_told_the_file_checks_clean(written: str, slip: str, mended: str) -> None:
    assert FILE.count(written) == 1
    told = said(FILE.replace(written, slip))
    assert len(told) == 1, told
    assert f"`{mended}`" in told[0].help or told[0].help == f"write {mended}"
    assert said(FILE.replace(written, mended)) == []


@pytest.mark.parametrize("row", NOT_PLAIN.strip().splitlines())
def test_where_it_is_not_plain_nothing_is_written_out(row: str) -> None:
    written, slip = row.split(" | ")
    told = said(FILE.replace(written, slip))
    assert len(told) == 1, told
    assert not re.search("propose qwen|write `", told[0].help), told[0].help


@pytest.mark.parametrize("slip", ["rounds 3", "rounds = 3", "repeat 3", "iterations 3"])
def test_rounds_belong_to_the_first_line_of_their_layer(slip: str) -> None:
    told = said(FILE.replace("judge   qwen keep 1", slip))
    assert [one.help for one in told] == [
        "write `repeat 3` in the layer's first line, `layer one repeat 3 {`, and take it away here"
    ]
    assert said(FILE.replace("layer one {", "layer one repeat 3 {")) == []


@pytest.mark.parametrize(("slip", "mended"), [("budget 20s", "budget { time = 20s }")])
def test_limits_stand_in_braces(slip: str, mended: str) -> None:
    told = said(FILE.replace("pipeline p {", f"pipeline p {{\n  {slip}"))
    assert [one.help for one in told] == [f"limits stand in braces: `{mended}`"]
    assert said(FILE.replace("pipeline p {", f"pipeline p {{\n  {mended}")) == []


@pytest.mark.parametrize(
    ("written", "slip", "mended"),
    [
        ('reply judge ["qwen.2"]', "reply judge [qwen.2]", '"qwen.2"'),
        ('expect kept == ["qwen.2"]', "expect kept == [qwen.2]", '"qwen.2"'),
    ],
)
def test_agents_with_a_dot_are_quoted_in_a_list(written: str, slip: str, mended: str) -> None:
    text = """
model qwen = "groq/a"
pipeline p {
  layer one {
    propose qwen * 3
    judge   qwen keep 1
  }
  aggregate qwen
}
test "it" for p {
  prompt "x"
  reply judge ["qwen.2"]
  expect kept == ["qwen.2"]
}
"""
    assert said(text) == []
    assert [one.help for one in said(text.replace(written, slip))] == [f"write `{mended}`"]


def test_a_text_between_three_quotes_is_one_mistake() -> None:
    python = FILE.replace('"You see far."', "'''\n  You see \"far\".\n  It's all.\n  '''")
    assert [(one.code, one.help) for one in said(python)] == [("MOA017", "write `\"\"\"` in place of each `'''`")]
    assert said(python.replace("'''", '"""')) == []
