"""Test formats, to see rows of the benchmarks come and go unharmed, and what is missing counted and not written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.runtime.conversation import asked_in
from smoadsl.score import formats as f
from smoadsl.score.formats import FORMATS, FormatError
from smoadsl.score.outcome import Missing, Refused, Said

ALPACA = {"instruction": "Name an ocean.", "output": "The Pacific.", "generator": "old", "dataset": "helpful_base"}
JUST = {"id": 3, "source_id": "alpaca_eval-3", "datasplit": "just_eval", **ALPACA}
QUESTION = {"question_id": 81, "category": "writing", "turns": ["Write.", "Again."], "reference": ["One.", "Two."]}
text = st.text(max_size=20)


def test_alpaca_eval_comes_and_goes() -> None:
    row = f.read_alpaca_eval(ALPACA, "old")
    assert row == {"instruction": "Name an ocean.", "dataset": "helpful_base", "old": "The Pacific."}
    assert asked_in(row)[0].prompt == "Name an ocean."
    assert f.write_alpaca_eval(row, Said("The Pacific."), "old") == ALPACA


def test_just_eval_comes_and_goes() -> None:
    row = f.read_just_eval(JUST)
    assert row["output"] == "The Pacific."
    assert f.write_just_eval(row, Said("The Pacific."), "old") == JUST


def test_mt_bench_is_asked_turn_by_turn() -> None:
    row = f.read_mt_bench(QUESTION)
    assert asked_in(row)[0].prompt == "Write."
    assert row["reference"] == ["One.", "Two."]
    second = f.next_turn(row, ["First."])
    assert second is not None
    talk = asked_in(second)[0]
    assert [(m.role, m.content) for m in talk.messages] == [
        ("user", "Write."), ("assistant", "First."), ("user", "Again."),
    ]  # fmt: skip
    assert f.next_turn(row, ["First.", "Second."]) is None
    line = f.write_mt_bench(second, [Said("First."), Said("Second.")], "moa", at=1.5)
    assert isinstance(line, dict)
    assert (line["question_id"], line["model_id"], line["tstamp"]) == (81, "moa", 1.5)
    assert line["choices"] == [{"index": 0, "turns": ["First.", "Second."]}]
    assert f.answers_of_mt_bench(line) == (81, ("First.", "Second."))
    again = f.write_mt_bench(row, [Said("First."), Said("Second.")], "moa", at=9.0)
    assert isinstance(again, dict)
    assert again["answer_id"] == line["answer_id"]


@pytest.mark.parametrize("name", ["alpaca_eval", "just_eval"])
def test_what_is_not_there_is_not_written(name: str) -> None:
    write = FORMATS[name].write
    assert write(ALPACA, Said(None), "moa") == Missing("there is no answer")
    assert write(ALPACA, Said(None, refused=True), "moa") == Refused()
    refusal = write(ALPACA, Said("I can not help with that.", refused=True), "moa")
    assert isinstance(refusal, dict)
    assert refusal["output"] == "I can not help with that."
    empty = write(ALPACA, Said(""), "moa")
    assert isinstance(empty, dict)
    assert empty["output"] == ""


def test_a_question_is_written_when_all_its_turns_are_answered() -> None:
    assert f.write_mt_bench(QUESTION, [Said("One.")], "moa") == Missing("1 of 2 turns were answered")
    assert f.write_mt_bench(QUESTION, [Said("One."), Said(None)], "moa") == Missing("there is no answer")
    single = FORMATS["mt_bench"].write({**QUESTION, "turns": ["Write."]}, Said("One."), "moa")
    assert isinstance(single, dict)


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("alpaca_eval", {"output": "x"}, "a row of AlpacaEval needs `instruction`, a text"),
        ("just_eval", {"instruction": 7}, "a row of Just-Eval needs `instruction`, a text"),
        ("mt_bench", {"question_id": 1}, "a row of MT-Bench needs `turns`, a list of texts"),
        ("mt_bench", {"question_id": 1, "turns": []}, "a row of MT-Bench needs `turns`, a list of texts"),
        ("mt_bench", {"question_id": "1", "turns": ["x"]}, "a row of MT-Bench needs `question_id`, a whole number"),
    ],
)
def test_a_row_of_another_form_says_what_it_lacks(name: str, row: dict[str, Any], said: str) -> None:
    with pytest.raises(FormatError) as caught:
        FORMATS[name].read(row, "old")
    assert str(caught.value) == said


@pytest.mark.parametrize("choices", [None, [], [{"turns": []}], [{"turns": [7]}], [{}], "x"])
def test_answers_of_another_form_say_what_they_lack(choices: object) -> None:
    with pytest.raises(FormatError, match="needs `choices`"):
        f.answers_of_mt_bench({"question_id": 1, "choices": choices})


def test_answers_that_exist_are_put_beside_their_instructions() -> None:
    rows = [{"instruction": "a"}, {"prompt": "b"}, {"question": "c"}, {"instruction": "a"}]
    answers = [{"instruction": "a", "output": "1"}, {"instruction": "b", "output": "2"}]
    found, missing = f.with_answers(rows, answers, "old")
    assert [row.get("old") for row in found] == ["1", "2", None, None]
    assert missing == 2
    assert rows[0] == {"instruction": "a"}
    with pytest.raises(FormatError, match="a row needs `prompt`"):
        f.with_answers([{"text": "a"}], answers, "old")


@given(text, text, text, st.one_of(st.none(), text))
def test_any_text_survives(instruction: str, output: str, generator: str, dataset: str | None) -> None:
    row = {"instruction": instruction, "output": output, "generator": generator}
    row |= {} if dataset is None else {"dataset": dataset}
    assert f.write_alpaca_eval(f.read_alpaca_eval(row), Said(output), generator) == row
    just = {"id": 1, **row, "datasplit": "just_eval"}
    assert f.write_just_eval(f.read_just_eval(just), Said(output), generator) == just
