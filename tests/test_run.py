"""Test run, to hold runs to what the corpus says of them: each test in each file is rehearsed."""

from pathlib import Path

import pytest

from smoadsl.diagnostics.render.text import render
from smoadsl.language import checked
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
