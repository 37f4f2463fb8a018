"""Formats, to read the rows of well-known benchmarks as ours, and to write answers as these benchmarks expect them.

A row of ours has its request in `instruction` or `messages`; what else a benchmark keeps of it stays in it, under the
same name, so that it can be written again. An answer that came with a row is put into a field of one's choice, where
`input/FIELD` finds it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from smoadsl.classes import dataclass
from smoadsl.score.outcome import Missing, Refused, Said

Row = Mapping[str, Any]
Written = dict[str, Any] | Missing | Refused

_FROM_JUST_EVAL = ("id", "instruction", "source_id", "dataset")


class FormatError(ValueError):
    """A row that is not of the format that it should be; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Format:
    """`read` makes a row of ours, with the row's own answer, if it has one, in the field of that name; `write` makes
    the benchmark's row of ours and the answer that `generator` gave. `lines`: it is written as JSON lines, not as one
    JSON array. An answer that is not there is not written: whoever writes counts these."""

    read: Callable[[Row, str], dict[str, Any]]
    write: Callable[[Row, Said, str], Written]
    lines: bool = False


# ---- AlpacaEval: `instruction`, `output`, `generator`, and the part of the set that it is from in `dataset`


def read_alpaca_eval(row: Row, field: str = "output") -> dict[str, Any]:
    """A row of AlpacaEval's set, or of somebody's outputs for it."""
    kept = {"instruction": _text(row, "instruction", "AlpacaEval")}
    if isinstance(row.get("dataset"), str):
        kept["dataset"] = row["dataset"]
    return kept | _answer(row, "output", field)


def write_alpaca_eval(row: Row, said: Said, generator: str) -> Written:
    """A row as `alpaca_eval --model_outputs` reads it."""
    if (lacking := _lacking(said)) is not None:
        return lacking
    instruction = {"instruction": _request(row)}
    dataset = {"dataset": row["dataset"]} if "dataset" in row else {}
    return {**instruction, "output": said.text, "generator": generator, **dataset}


# ---- Just-Eval: the same, with `id`, `source_id` and `datasplit`


def read_just_eval(row: Row, field: str = "output") -> dict[str, Any]:
    """A row of just-eval-instruct, or of somebody's outputs for it."""
    _text(row, "instruction", "Just-Eval")
    return {name: row[name] for name in _FROM_JUST_EVAL if name in row} | _answer(row, "output", field)


def write_just_eval(row: Row, said: Said, generator: str) -> Written:
    """A row as `just_eval --first_file` reads it."""
    if (lacking := _lacking(said)) is not None:
        return lacking
    kept = {name: row[name] for name in _FROM_JUST_EVAL if name in row} | {"instruction": _request(row)}
    return {**kept, "output": said.text, "generator": generator, "datasplit": "just_eval"}


# ---- MT-Bench: questions with `turns`, answers with `choices`


def read_mt_bench(row: Row, field: str = "reference") -> dict[str, Any]:
    """A question of MT-Bench, whose first turn is asked; `next_turn` asks the others. Its reference answers, where it
    has any, are put into the field."""
    turns = _turns(row)
    kept = {"question_id": _number(row, "question_id"), "turns": turns, "messages": _messages(turns[:1])}
    if isinstance(row.get("category"), str):
        kept["category"] = row["category"]
    return kept | ({field: row["reference"]} if row.get("reference") else {})


def next_turn(row: Row, answers: Sequence[str]) -> dict[str, Any] | None:
    """The row with the request that follows so many answers; None where all turns are answered."""
    turns = _turns(row)
    if len(answers) >= len(turns):
        return None
    said = [text for pair in zip(turns, answers, strict=False) for text in pair]
    return {**row, "messages": _messages([*said, turns[len(answers)]])}


def write_mt_bench(row: Row, said: Sequence[Said], generator: str, at: float = 0.0) -> Written:
    """A line as FastChat's `gen_judgment.py` reads it from `model_answer/NAME.jsonl`: all turns of a question. `at` is
    when it was answered, in seconds since 1970. A question with a turn that lacks its answer is not written."""
    turns = _turns(row)
    if len(said) != len(turns):
        return Missing(f"{len(said)} of {len(turns)} turns were answered")
    for one in said:
        if (lacking := _lacking(one)) is not None:
            return lacking
    texts = [one.text for one in said]
    number = _number(row, "question_id")
    name = hashlib.sha256(orjson.dumps([number, generator, texts])).hexdigest()[:22]  # the same for the same answer
    choices = [{"index": 0, "turns": texts}]
    return {"question_id": number, "answer_id": name, "model_id": generator, "choices": choices, "tstamp": at}


def answers_of_mt_bench(row: Row) -> tuple[int, tuple[str, ...]]:
    """The question's number, and the answers to its turns, of a line that somebody wrote."""
    match row.get("choices"):
        case [{"turns": [*turns]}, *_] if turns and all(isinstance(turn, str) for turn in turns):
            return _number(row, "question_id"), tuple(turns)
        case _:
            raise FormatError("a row of MT-Bench's answers needs `choices`, the first of them with `turns` of texts")


def _write_first_turn(row: Row, said: Said, generator: str) -> Written:
    return write_mt_bench(row, [said], generator)


FORMATS: Mapping[str, Format] = {
    "alpaca_eval": Format(read_alpaca_eval, write_alpaca_eval),
    "just_eval": Format(read_just_eval, write_just_eval),
    "mt_bench": Format(read_mt_bench, _write_first_turn, lines=True),
}


def with_answers(rows: Sequence[Row], answers: Sequence[Row], field: str) -> tuple[list[dict[str, Any]], int]:
    """The rows with answers that somebody gave to the same instructions, in `field`, for `input/FIELD`; and how many
    rows have none. Of several answers to one instruction the first goes to the first row that has it."""
    waiting: dict[str, list[Any]] = {}
    for answer in answers:
        text = _text(answer, "output", "these answers")
        waiting.setdefault(_text(answer, "instruction", "these answers"), []).append(text)
    found, missing = [], 0
    for row in rows:
        given = waiting.get(_request(row))
        missing += not given
        found.append({**row, field: given.pop(0)} if given else dict(row))
    return found, missing


# ---- reading


def _text(row: Row, name: str, what: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise FormatError(f"a row of {what} needs `{name}`, a text")
    return value


def _number(row: Row, name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormatError(f"a row of MT-Bench needs `{name}`, a whole number")
    return value


def _turns(row: Row) -> list[str]:
    turns = row.get("turns")
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        raise FormatError("a row of MT-Bench needs `turns`, a list of texts")
    return turns


def _messages(texts: Sequence[str]) -> list[dict[str, str]]:
    """Texts of the user and the assistant in turn."""
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


def _answer(row: Row, name: str, field: str) -> dict[str, Any]:
    return {field: row[name]} if isinstance(row.get(name), str) else {}


def _request(row: Row) -> str:
    """What the row asks, under whichever of the usual names."""
    match row:
        case {"messages": [*_, {"content": str(text)}]}:
            return text
        case {"prompt": str(text)} | {"instruction": str(text)} | {"question": str(text)}:
            return text
        case _:
            raise FormatError("a row needs `prompt`, `instruction`, `question` or `messages`")


def _lacking(said: Said) -> Missing | Refused | None:
    """Why there is nothing to write. What a model said as it refused is its answer, an empty answer is one, too."""
    if said.text is not None:
        return None
    return Refused() if said.refused else Missing("there is no answer")
