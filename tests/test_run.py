"""Test run, to hold runs to what the corpus says of them: each test in each file is rehearsed."""

from pathlib import Path

import pytest

from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.language import checked
from smoadsl.plan.compile import analyse
from smoadsl.tools import api
from smoadsl.tools.rehearse import rehearse
from tests.corpus_files import FOLDER

FILES = sorted((FOLDER / "run").glob("*.moa"))
PROGRAMS = {path: api.analyse(path) for path in FILES}
CASES = [
    pytest.param(test, id=f"{path.stem}: {test.title}")
    for path, program in PROGRAMS.items()
    for test in (program.value.tests if program.value else ())
]


def failures(test: checked.Test) -> str:
    """What `smoadsl test` says of a test that fails; nothing of one that passes. Nothing else here knows a run."""
    found = rehearse(test).failures
    return "\n".join(f"{failure.origin}: {failure.expected}\n  {failure.actual}" for failure in found)


@pytest.mark.parametrize("test", CASES)
def test_run(test: checked.Test) -> None:
    said = failures(test)
    assert not said, said


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_the_corpus_is_beyond_reproach(path: Path) -> None:
    outcome = PROGRAMS[path]
    assert not outcome.diagnostics, render(outcome.diagnostics)
    assert outcome.value is not None
    titles = [test.title for test in outcome.value.tests]
    assert titles
    assert len(set(titles)) == len(titles), "two tests of one file have one title"
    assert all(test.expects for test in outcome.value.tests), "a test expects nothing"


TWO = 'model a = "groq/a"\nmodel b = "groq/b"\npipeline p {\n layer one { propose a }\n aggregate b\n}\n'
SAID = {  # what is said of a test with these lines
    "an agent without a reply": ('reply a "1"', "a reply for aggregate\n  the test has none"),
    "a reply that nobody takes": ('reply * "1"\nreply a "2"\nreply judge [a]', "this reply was never used"),
    "a second reply that nobody takes": ('reply * "1"\nreply a "2"\nreply a "3"', "this reply was never used"),
    "an expectation that is not met": ('reply * "1"\nexpect calls == 3', "expect calls == 3\n  calls is 2"),
    "each fact that it speaks of": (
        'reply * "1"\nexpect rounds == 2 or answer == "2"',
        'or answer == "2"\n  rounds is 1, answer is "1"',
    ),
    "facts as they would be written": (
        'reply * after 1500ms "1"\nexpect time < 2s and usd > $1 and kept == ["a"] and degraded',
        "\n  time is 3s, usd is $0, kept is [], degraded is false",
    ),
    "facts, and not words of a text": ('reply * "1"\nexpect answer contains "calls"', '"calls"\n  answer is "1"'),
    "a run that failed, where no word is of failing": (
        "reply a error 401\nexpect not degraded and calls > 0",
        "an answer\n  the run failed (add `expect failed` if it is meant to): layer one, round 1: a failed: ",
    ),
    "and where one holds of no answer by chance": (
        'reply a error 401\nexpect answer != "2"',
        "an answer\n  the run failed",
    ),
    "what is not there": ("reply a error 401\nexpect value == 1", "value is not there"),
}


@pytest.mark.parametrize("expected", ["failed", "calls == 1 and failed", "not answer", "failed or degraded"])
def test_a_run_that_fails_passes_where_that_is_expected(expected: str) -> None:
    lines = f"reply a error 401\nexpect {expected}"
    outcome = analyse(Source("t.moa", f'{TWO}test "t" for p {{\nprompt "hi"\n{lines}\n}}\n'))
    assert outcome.value is not None, render(outcome.diagnostics)
    assert not failures(outcome.value.tests[0])


@pytest.mark.parametrize(("lines", "said"), SAID.values(), ids=SAID.keys())
def test_what_is_said_of_a_test_that_fails(lines: str, said: str) -> None:
    outcome = analyse(Source("t.moa", f'{TWO}test "t" for p {{\nprompt "hi"\n{lines}\n}}\n'))
    assert outcome.value is not None, render(outcome.diagnostics)
    assert said in failures(outcome.value.tests[0])
