"""Test output, to write each row as it was read with what came of it, in every form, whole or not at all."""

import csv
import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.scale import output
from smoadsl.scale.output import FIELD, Found, write_output, writer_for
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data, Unfit

GOOD = Result(answer="yes", value="y", calls=3, input_tokens=10, output_tokens=5, usd=0.25, seconds=1.5)
BAD = Result(error="no answer: it was refused", calls=1)
TURNS = Result(answer="two", answers=("one", "two"), estimated=True, degraded=("a, failed",), stopped=("l, round 1",))


def written(data: Data, path: Path, results: dict[int, Result]) -> Path:
    digests = {row.number: row.digest for row in data.rows()}
    found: list[Found] = [(number, digests[number], result) for number, result in results.items()]
    write_output(path, data, lambda: iter(found))
    return path


def rows(path: Path, *lines: Any) -> Data:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return Data(path)


def test_lines_stand_as_they_were_with_one_field_more(tmp_path: Path) -> None:
    data = rows(tmp_path / "in.jsonl", {"b": 1, "a": [1.5, None, "ä\u2028"]}, "", "no row", {"x": {}})
    made = written(data, tmp_path / "out.jsonl", {1: GOOD, 3: BAD, 4: TURNS}).read_text()
    said = [json.loads(line) for line in made.split("\n")[:-1]]
    plain = {"answer": "yes", "value": "y", "degraded": [], "error": "", "calls": 3, "input_tokens": 10}
    plain |= {"output_tokens": 5, "usd": 0.25, "seconds": 1.5, "stopped": []}
    assert said[0] == {"b": 1, "a": [1.5, None, "ä\u2028"], FIELD: {"row": 1, **plain}}
    assert list(said[0]) == ["b", "a", FIELD]
    assert list(said[1]) == [FIELD]
    assert (said[1][FIELD]["row"], said[1][FIELD]["answer"], said[1][FIELD]["error"]) == (3, None, BAD.error)
    assert (said[2][FIELD]["answers"], said[2][FIELD]["estimated"]) == (["one", "two"], True)
    assert (said[2][FIELD]["degraded"], said[2][FIELD]["stopped"]) == (["a, failed"], ["l, round 1"])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.mark.parametrize("end", ["csv", "tsv"])
def test_a_table_has_all_columns_that_come_up(tmp_path: Path, end: str) -> None:
    data = rows(tmp_path / "in.jsonl", {"a": "x,\ty", "b": [1]}, "no row", {"c": 'q"\r\nz', "a": None, "d": 1.5})
    read = table(written(data, tmp_path / f"out.{end}", {1: GOOD, 2: BAD, 3: TURNS}))
    theirs = [{name: row[name] for name in "abcd"} for row in read]
    assert theirs == [
        {"a": "x,\ty", "b": "[1]", "c": "", "d": ""},
        {"a": "", "b": "", "c": "", "d": ""},
        {"a": "", "b": "", "c": 'q"\r\nz', "d": "1.5"},
    ]
    assert [row["smoadsl.row"] for row in read] == ["1", "2", "3"]
    assert (read[0]["smoadsl.answer"], read[0]["smoadsl.usd"], read[1]["smoadsl.error"]) == ("yes", "0.25", BAD.error)
    assert (read[2]["smoadsl.answers"], read[2]["smoadsl.estimated"]) == ('["one","two"]', "true")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_every_text_survives_a_table(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """But for the apostrophe before what a spreadsheet would carry out."""
    folder = tmp_path_factory.mktemp("table")
    data = rows(folder / "in.jsonl", *({"text": text} for text in texts))
    csv.field_size_limit(1 << 20)
    read = table(written(data, folder / "out.csv", dict.fromkeys(range(1, len(texts) + 1), GOOD)))
    assert [row["text"].removeprefix("'") for row in read] == [text.removeprefix("'") for text in texts]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1+1", "'＝1+1"),
        ("\t5", "'\t5"),
        ("-inf", "'-inf"),
        ("-5", "-5"),
        ("+1.5e3", "+1.5e3"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(tmp_path: Path, text: str, cell: str) -> None:
    data = rows(tmp_path / "in.jsonl", {"text": text, text or "x": 1})
    (row,) = table(written(data, tmp_path / "out.csv", {1: Result(answer=text)}))
    assert (row["text"], row["smoadsl.answer"]) == (cell, cell)
    assert (cell or "x") in row, "nor is the name of a column"
    lines = written(data, tmp_path / "out.jsonl", {1: Result(answer=text)})
    assert json.loads(lines.read_text())["text"] == text


def test_an_output_can_be_the_data_of_another_run(tmp_path: Path) -> None:
    """What the run before had said of a row makes room; all else stays."""
    first = rows(tmp_path / "in.jsonl", {"id": 7, FIELD: "mine"})
    data = Data(written(first, tmp_path / "one.jsonl", {1: GOOD}))
    (line,) = written(data, tmp_path / "two.jsonl", {1: BAD}).read_text().splitlines()
    assert (json.loads(line)["id"], json.loads(line)[FIELD]["error"]) == (7, BAD.error)
    data = Data(written(first, tmp_path / "one.csv", {1: GOOD}))
    (row,) = table(written(data, tmp_path / "two.csv", {1: BAD}))
    assert (row["id"], row["smoadsl.error"], row["smoadsl.answer"]) == ("7", BAD.error, "")


# ---- Parquet


def test_parquet_keeps_types_and_has_lists(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    source = pyarrow.table({"n": [1, 2], "x": [0.5, None], "tags": [["a"], []], "smoadsl.answer": ["old", "old"]})
    parquet.write_table(source, tmp_path / "in.parquet")
    made = written(Data(tmp_path / "in.parquet"), tmp_path / "out.parquet", {1: GOOD, 2: TURNS})
    read = parquet.read_table(made)
    assert [read.schema.field(name).type for name in ("n", "x", "tags")] == [
        source.schema.field(name).type for name in ("n", "x", "tags")
    ]
    assert read.column("tags").to_pylist() == [["a"], []]
    assert read.column("smoadsl.answer").to_pylist() == ["yes", "two"]
    assert read.column("smoadsl.answers").to_pylist() == [[], ["one", "two"]]
    assert read.column("smoadsl.usd").to_pylist() == [0.25, 0.0]


def test_parquet_of_lines_has_texts(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = [{"a": n, "b": {"c": n}} for n in range(2_500)]
    data = rows(tmp_path / "in.jsonl", *lines, "no row")
    made = written(data, tmp_path / "out.parquet", dict.fromkeys(range(1, 2502), GOOD))
    read = parquet.read_table(made).to_pylist()
    assert len(read) == 2_501
    assert (read[7]["a"], read[7]["b"], read[2_500]["a"]) == ("7", '{"c":7}', None)


# ---- whole or not at all


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("end", ["jsonl", "csv", "parquet"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, end: str) -> None:
    data = rows(tmp_path / "in.jsonl", *({"text": f"{n:x}" * 100} for n in range(5_000)))
    results = dict.fromkeys(range(1, 5001), GOOD)
    path = tmp_path / f"out.{end}"
    path.write_text("as it was")
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
        written(data, path, results)
    assert path.read_text() == "as it was"
    assert sorted(os.listdir(tmp_path)) == ["in.jsonl", f"out.{end}"]
    assert written(data, path, results).stat().st_size > 10_000


def test_what_a_process_left_that_died_is_in_nobodys_way(tmp_path: Path) -> None:
    data = rows(tmp_path / "in.jsonl", {"a": 1})
    (tmp_path / ".out.jsonl.part").symlink_to(tmp_path / "elsewhere")
    written(data, tmp_path / "out.jsonl", {1: GOOD})
    assert sorted(os.listdir(tmp_path)) == ["in.jsonl", "out.jsonl"]
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o666 & ~os.umask(os.umask(0o022))


def test_data_that_changed_meanwhile_is_not_put_beside_the_answers_of_others(tmp_path: Path) -> None:
    data = rows(tmp_path / "in.jsonl", {"a": 1}, {"a": 2})
    digests = [row.digest for row in data.rows()]
    found = [(number, digest, GOOD) for number, digest in enumerate(digests, 1)]
    for other in ([{"a": 1}, {"a": 3}], [{"a": 1}]):
        rows(data.path, *other)
        with pytest.raises(Unfit, match=r"in\.jsonl: row 2 changed while it was worked on: the same command says"):
            write_output(tmp_path / "out.jsonl", data, lambda: iter(found))
        assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("name", ["out", "out.txt", "out.json", "out.jsonl.gz"])
def test_a_name_that_says_no_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unfit, match=r"an output is named \.jsonl, \.csv, \.tsv or \.parquet"):
        writer_for(tmp_path / name)


def test_no_field_of_ours_is_forgotten() -> None:
    assert output._HEADS[0] == "smoadsl.row"
    assert len(output._HEADS) == 1 + len(Result.__dataclass_fields__)
