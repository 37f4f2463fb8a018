"""Test pipelines, to hold each shipped pipeline to what it is: an example that checks, a plan, and tests that pass."""

from pathlib import Path

import pytest

from smoadsl.language.format import format
from smoadsl.plan.plan import Range
from smoadsl.tools import api
from smoadsl.tools.reader import read_source
from smoadsl.tools.rehearse import rehearse

FOLDER = Path(__file__).parents[1] / "pipelines"
FILES = sorted(FOLDER.rglob("*.moa"))
CALLS = {  # pipeline: calls, and the longest chain of them
    "moa": (Range(least=13, full=13, worst=13), Range(least=3, full=3, worst=3)),
    "smoa": (Range(least=5, full=11, worst=13), Range(least=2, full=5, worst=7)),
    "quickstart": (Range(least=4, full=4, worst=4), Range(least=2, full=2, worst=2)),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_it_checks_without_a_word_and_its_tests_pass(path: Path) -> None:
    program = api.analyse(path)
    assert (program.diagnostics, program.value is not None) == ((), True)
    assert program.value is not None
    assert program.value.tests or not program.value.pipelines  # a file of models has none
    for test in program.value.tests:
        assert rehearse(test).failures == (), test.title


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_it_has_the_one_layout(path: Path) -> None:
    source = read_source(path).value
    assert source is not None
    assert format(source).value == source.text


@pytest.mark.parametrize("name", CALLS)
def test_it_plans_as_it_says(name: str) -> None:
    plan = api.compile(FOLDER / f"{name}.moa").value
    assert plan is not None
    assert plan.bounds is not None
    assert (plan.bounds.calls, plan.bounds.critical_path) == CALLS[name]


UNFUSED = """
test "every verdict can be read" for smoa {
  prompt "Name a prime above 100."
  reply qwen2     "101"
  reply qwen15    "103"
  reply mixtral   "107"
  reply dbrx      "109"
  reply judge     [dbrx, qwen2]
  reply moderator false
  reply aggregate "101"
  expect calls == 12 and not degraded
}

test "no verdict can be read" for smoa {
  prompt "Name a prime above 100."
  reply qwen2     "101"
  reply qwen15    "103"
  reply mixtral   "107"
  reply dbrx      "109"
  reply judge     "I like the second one best!"
  reply moderator "Perhaps."
  reply aggregate "101"
  expect calls == 15 and degraded and plan.max_calls == 15
}
"""


def test_unfused_it_takes_two_calls_a_verdict(tmp_path: Path) -> None:
    text = (FOLDER / "smoa.moa").read_text(encoding="utf-8").replace("keep 2\n", "keep 2 { fuse = false }\n")
    (tmp_path / "smoa.moa").write_text(text.partition('test "')[0] + UNFUSED, encoding="utf-8")
    plan = api.compile(tmp_path / "smoa.moa").value
    assert plan is not None
    assert plan.bounds is not None
    assert (plan.bounds.calls.full, plan.bounds.calls.worst) == (12, 15)
    program = api.analyse(tmp_path / "smoa.moa").value
    assert program is not None
    assert [rehearse(test).failures for test in program.tests] == [(), ()]
