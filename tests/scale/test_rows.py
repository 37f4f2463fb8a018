"""Test rows, to read every data set row by row, and to lose none: what can not be read is a row that says why."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from smoadsl.scale import rows
from smoadsl.scale.rows import Data, Unfit

BOM = b"\xef\xbb\xbf"
A, B = '{"prompt": "a"}', '{"prompt": "b"}'
NO_PROMPT = "it has none of messages, turns, prompt, instruction, question: --map prompt=COLUMN names what to read"

# the name of a file, what is in it, and what is read: (number, prompt or the error's sentence)
CASES: list[tuple[str, bytes | str, Sequence[tuple[int, str]]]] = [
    ("empty.jsonl", "", []),
    ("only blank lines.jsonl", "\n \n\t\r\n\n", []),
    ("two.jsonl", f"{A}\n{B}\n", [(1, "a"), (2, "b")]),
    ("no end of line.jsonl", f"{A}\n{B}", [(1, "a"), (2, "b")]),
    ("blank lines count.jsonl", f"\n{A}\n\n  \n{B}\n", [(2, "a"), (5, "b")]),
    ("crlf.jsonl", f"{A}\r\n{B}\r\n", [(1, "a"), (2, "b")]),
    ("bom.jsonl", BOM + A.encode() + b"\n", [(1, "a")]),
    ("bom alone.jsonl", BOM, []),
    ("upper case.JSONL", A, [(1, "a")]),
    ("other end.ndjson", A, [(1, "a")]),
    ("torn.jsonl", f'{A}\n{{"prompt": "b', [(1, "a"), (2, "line 2 is no JSON: unexpected end of data")]),
    ("comma.jsonl", f"{A},\n{B}", [(1, "line 1 is no JSON: unexpected content after document"), (2, "b")]),
    ("array.jsonl", f"[{A}]\n{B}", [(1, "line 1 is no JSON object, as a row must be"), (2, "b")]),
    ("scalar.jsonl", f"17\n{B}", [(1, "line 1 is no JSON object, as a row must be"), (2, "b")]),
    ("text.jsonl", f'"a"\n{B}', [(1, "line 1 is no JSON object, as a row must be"), (2, "b")]),
    ("null.jsonl", f"null\n{B}", [(1, "line 1 is no JSON object, as a row must be"), (2, "b")]),
    ("nan.jsonl", f'{{"prompt": "a", "x": NaN}}\n{B}', [(1, "line 1 is no JSON: unexpected character"), (2, "b")]),
    (
        "not utf-8.jsonl",
        b'{"prompt": "\xff"}\n' + B.encode(),
        [(1, "line 1 is no JSON: str is not valid UTF-8"), (2, "b")],
    ),
    (
        "half a pair.jsonl",
        f'{{"prompt": "\\ud800"}}\n{B}',
        [(1, "line 1 is no JSON: no low surrogate in string at character 13"), (2, "b")],
    ),
    (
        "deep.jsonl",
        "[" * 5_000 + f"\n{B}",
        [(1, "line 1 is no JSON: depth limit exceeded at character 1026"), (2, "b")],
    ),
    ("twice one key.jsonl", '{"prompt": "a", "prompt": "b"}', [(1, "b")]),
    ("not escaped.jsonl", '{"prompt": "a\u2028b"}', [(1, "a\u2028b")]),
    ("no prompt.jsonl", '{"text": "a"}', [(1, NO_PROMPT)]),
    ("wrong kind.jsonl", '{"prompt": 17}', [(1, "`prompt` must be a text")]),
    ("null prompt.jsonl", '{"prompt": null}', [(1, "`prompt` must be a text")]),
    ("data sets.jsonl", '{"instruction": "a"}\n{"question": "b"}', [(1, "a"), (2, "b")]),
    ("first of them.jsonl", '{"question": "q", "instruction": "i", "prompt": "p"}', [(1, "p")]),
    ("list.json", f"[{A}, {B}]", [(1, "a"), (2, "b")]),
    ("empty list.json", "[]", []),
    ("bom list.json", BOM + f"[{A}]".encode(), [(1, "a")]),
    ("mixed list.json", f"[{A}, 7]", [(1, "a"), (2, "item 2 is no JSON object, as a row must be")]),
    ("two.csv", "id,prompt\n1,a\n2,b\n", [(1, "a"), (2, "b")]),
    ("bom.csv", BOM + b"prompt,id\r\na,1\r\n", [(1, "a")]),
    ("quotes.csv", 'id,prompt\n1,"a ""b"", c"\n', [(1, 'a "b", c')]),
    ("line ends.csv", 'prompt,id\n"a\nb\r\nc",1\nd,2\n', [(1, "a\nb\r\nc"), (2, "d")]),
    ("blank lines.csv", "prompt,id\n\na,1\n\n\nb,2\n", [(1, "a"), (2, "b")]),
    ("few cells.csv", "id,prompt\n1\n2,b\n", [(1, "row 1 has 1 cell, and the head names 2"), (2, "b")]),
    ("many cells.csv", "id,prompt\n1,a,x\n", [(1, "row 1 has 3 cells, and the head names 2")]),
    ("head alone.csv", "id,prompt\n", []),
    ("empty.csv", "", []),
    ("tabs.tsv", "id\tprompt\n1\ta, b\n", [(1, "a, b")]),
]


@pytest.mark.parametrize(("name", "content", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_is_read(tmp_path: Path, name: str, content: bytes | str, expected: Sequence[tuple[int, str]]) -> None:
    read = [(row.number, asked(data, row)) for data in (made(tmp_path / name, content),) for row in data.rows()]
    assert [number for number, _ in read] == [number for number, _ in expected]
    for (_, said), (_, begins) in zip(read, expected, strict=True):
        assert said == begins or (said.startswith(begins) and "line" in begins)


def made(path: Path, content: bytes | str, **columns: str) -> Data:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Data(path, columns)


def asked(data: Data, row: rows.Row) -> str:
    try:
        return data.turns(row)[0].prompt
    except ValueError as error:
        return str(error)


UNFIT = [
    ("data.txt", "", "data.txt: a data set is named .jsonl, .json, .csv, .tsv or .parquet"),
    ("no list.json", A, "no list.json is no JSON list: name a file of one object a line .jsonl"),
    ("torn.json", f"[{A},", "torn.json is no JSON: "),
    ("twice.csv", "prompt,id,prompt\n", "twice.csv: two columns have one name"),
    (
        "open quote.csv",
        'a,b\n\n1,2\n"a,1\nb,2\n',
        "open quote.csv:4 can not be read as csv: a quote in the row that begins",
    ),
    ("open in the head.csv", 'a,"b\n1,2\n', "open in the head.csv:1 can not be read as csv: a quote in the row"),
    ("stray quote.csv", 'a,b\n"1"x,2\n3,4\n', "stray quote.csv:2 can not be read as csv: ',' expected after"),
    ("latin.csv", b"prompt\na\n\xe4b\nc\xe4\n", "latin.csv:3 is not UTF-8, for the byte 0xe4 in it: save it as UTF-8"),
    (
        "far on.csv",
        b"prompt\n" + b"a\n" * (1 << 20) + b"\xe4",
        f"far on.csv:{(1 << 20) + 2} is not UTF-8, for the byte",
    ),
    ("cut off.csv", "prompt\na\nä".encode()[:-1], "cut off.csv:3 is not UTF-8, for the byte 0xc3 in it"),
    ("utf-16.csv", "prompt\na\n".encode("utf-16"), "utf-16.csv:1 is not UTF-8, for the byte 0xff in it"),
    ("no.parquet", "PAR1 it is not", "no.parquet can not be read as parquet: "),
]


@pytest.mark.parametrize(("name", "content", "said"), UNFIT, ids=[case[0] for case in UNFIT])
def test_a_file_that_can_not_be_told_apart_into_rows_is_refused(
    tmp_path: Path, name: str, content: bytes | str, said: str
) -> None:
    data = made(tmp_path / name, content)
    with pytest.raises(Unfit) as refused:
        data.measured()
    assert str(refused.value).startswith(f"{tmp_path}/{said}")


def test_a_line_that_is_too_long_is_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not held in memory, and is known again all the same."""
    monkeypatch.setattr(rows, "_MOST_BYTES_OF_LINE", 2 << 20)
    long = '{"prompt": "' + "x" * (3 << 20) + '"}'
    data = made(tmp_path / "in.jsonl", f"{A}\n{long}\n{B}\n{long}y")
    read = list(data.rows())
    assert [asked(data, row) for row in read] == ["a", "line 2 has more than 2 MiB", "b", "line 4 has more than 2 MiB"]
    assert all(len(row.content) < 100 for row in read)
    assert len({row.digest for row in read}) == 4


def test_a_list_that_is_too_long_is_to_be_written_in_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_BYTES_OF_JSON", 10)
    with pytest.raises(Unfit, match=r"in\.json has more than 0 MiB: write it as \.jsonl, one object a line"):
        made(tmp_path / "in.json", f"[{A}]").measured()


# ---- what a row asks


def turned(tmp_path: Path, row: Any, **columns: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    data = made(tmp_path / "in.jsonl", json.dumps(row), **columns)
    (read,) = data.rows()
    conversation, following = data.turns(read)
    return [(message.role, message.content) for message in conversation.messages], following


def test_messages_are_a_conversation(tmp_path: Path) -> None:
    messages = [{"role": r, "content": r[0]} for r in ("system", "user", "assistant", "user")]
    asked, following = turned(tmp_path, {"messages": messages, "prompt": "not this", "turns": ["nor", "these"]})
    assert asked == [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "u")]
    assert following == ()


def test_turns_are_asked_one_after_the_other(tmp_path: Path) -> None:
    asked, following = turned(tmp_path, {"question_id": 81, "turns": ["first", "second", "third"]})
    assert asked == [("user", "first")]
    assert following == ("second", "third")


@pytest.mark.parametrize("turns", [[], "one", [1], None, ["a", None]])
def test_turns_are_texts(tmp_path: Path, turns: Any) -> None:
    with pytest.raises(ValueError, match="`turns` must be a list of texts"):
        turned(tmp_path, {"turns": turns})


def test_a_column_of_another_name_is_the_only_prompt(tmp_path: Path) -> None:
    asked, _ = turned(tmp_path, {"query": "this", "prompt": "not this", "messages": []}, prompt="query")
    assert asked == [("user", "this")]


def test_a_column_may_take_the_name_of_another(tmp_path: Path) -> None:
    data = made(tmp_path / "in.jsonl", '{"prompt": "p", "a": "1", "b": "2"}', a="b", b="a")
    (row,) = data.rows()
    conversation, _ = data.turns(row)
    assert (conversation.prompt, conversation.input["a"], conversation.input["b"]) == ("p", "2", "1")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no field `qurey`, which --map names"):
        turned(tmp_path, {"query": "this"}, prompt="qurey")


# ---- by what a row is known again

KNOWN: list[tuple[str, bytes | str, bytes | str, list[bool]]] = [
    ("white space around it.jsonl", f"{A}\n{B}", f"\n  {A}\r\n\n{B}\n\n", [True, True]),
    ("white space in it.jsonl", A, '{"prompt":"a"}', [False]),
    ("a cell that moved.csv", "x,y\na\x1fb,c\n", "x,y\na,b\x1fc\n", [False]),
    ("columns that changed places.csv", "x,y\na,b\n", "y,x\na,b\n", [False]),
    ("quotes that are not needed.csv", "x,y\na,b\n", '"x","y"\r\n"a","b"\r\n', [True]),
]


@pytest.mark.parametrize(("name", "one", "other", "same"), KNOWN, ids=[case[0] for case in KNOWN])
def test_a_row_is_known_by_what_it_says(
    tmp_path: Path, name: str, one: bytes | str, other: bytes | str, same: list[bool]
) -> None:
    before = [row.digest for row in made(tmp_path / name, one).rows()]
    after = [row.digest for row in made(tmp_path / name, other).rows()]
    assert [a == b for a, b in zip(before, after, strict=True)] == same


def test_a_row_that_is_read_from_other_columns_is_another(tmp_path: Path) -> None:
    plain, mapped = made(tmp_path / "in.jsonl", A), Data(tmp_path / "in.jsonl", {"question": "prompt"})
    assert next(plain.rows()).digest != next(mapped.rows()).digest
    assert plain.measured()[0] != mapped.measured()[0]
    assert plain.measured() == made(tmp_path / "in.jsonl", A).measured()


def test_what_can_be_read_once_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    os.mkfifo(path)
    with pytest.raises(Unfit, match="is no plain file: a data set is read more than once, so save it in one"):
        Data(path).measured()


# ---- Parquet


def test_parquet_is_read_as_it_is_typed(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"prompt": f"p{number}", "turns": None, "n": number, "x": 0.5} for number in range(1_500)]
    rows[7] |= {"prompt": None}
    path = tmp_path / "in.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows).drop_columns(["turns"]), path)
    data = Data(path)
    read = list(data.rows())
    assert [row.number for row in read] == list(range(1, 1_501))
    assert read[3].fields() == {"prompt": "p3", "n": 3, "x": 0.5}
    assert asked(data, read[7]) == "`prompt` must be a text"
    assert asked(data, read[1_499]) == "p1499"
    assert len({row.digest for row in read}) == 1_500


def test_parquet_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unfit, match=r'Parquet needs pyarrow: pip install "smoadsl\[parquet\]"'):
        made(tmp_path / "in.parquet", "").measured()


@pytest.mark.parametrize(
    ("lines", "columns", "told"),
    [
        ([{"a": "1"}], {}, "no prompt in its only row. It has `a`; it has none of messages"),
        ([{"a": "1"}, {"b": "2"}], {}, "no prompt in its first 2 rows. The last has `b`; it has none of"),
        ([{}], {}, "in its only row. It has no field; it has none of"),
        ([{"prompt": "1"}] * 3, {"prompt": "x"}, "in its first 3 rows. The last has `prompt`; there is no field `x`"),
        ([{"a": "1"}] * 150, {}, "no prompt in its first 100 rows."),
        ([{"a": "1"}, {"question": "2"}], {}, ""),
        ([{"a": "1"}], {"prompt": "a"}, ""),
        ([{"a": "1"}, 7], {}, ""),
        ([], {}, ""),
    ],
)
def test_prompts_under_another_name_are_told_before_anything_is_begun(
    tmp_path: Path, lines: list[Any], columns: dict[str, str], told: str
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    data = Data(path, columns)
    if not told:
        assert data.measured()[1] == len(lines)
    else:
        with pytest.raises(Unfit, match=re.escape(told)):
            data.measured()
