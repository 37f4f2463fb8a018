"""Test replay, to make every run of the corpus again from its events alone: faults, quorums, hedges, budgets."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest

from smoadsl.language import checked
from smoadsl.runtime import events
from smoadsl.tools import api
from smoadsl.tools.rehearse import rehearse
from smoadsl.tools.replaying import replay
from tests.corpus_files import FOLDER

FILES = sorted([*(FOLDER / "run").glob("*.moa"), *(Path(__file__).parents[1] / "pipelines").glob("*.moa")])


def trials_of(path: Path) -> Sequence[checked.Test]:
    program = api.analyse(path)
    return program.value.tests if program.value else ()


def runs(told: Sequence[events.Event]) -> Iterator[list[events.Event]]:
    """The traces of a conversation, one for each of its prompts, as they come back from a file."""
    turn = 0

    def of(event: events.Event) -> int:
        nonlocal turn
        turn += isinstance(event, events.RunStarted)
        return turn

    for _, group in groupby(told, of):
        made = [event for event in group if not isinstance(event, events.AnswerPiece)]
        read = [events.EVENT.validate_json(event.model_dump_json()) for event in made]
        assert list(map(repr, read)) == list(map(repr, made)), "what is made is of the types that are read"
        yield read


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_run_comes_again(path: Path) -> None:
    astray = {}
    for test in trials_of(path):
        for number, told in enumerate(runs(rehearse(test).events), 1):
            again = replay(told)
            if again.astray:
                astray[f"{test.title}, prompt {number}"] = again.astray
            last = told[-1]
            assert (again.answer.text if again.answer else None) == getattr(last, "text", None) or again.astray
    assert astray == {}
