"""Test command, to see `smoadsl batch` begin, stop, go on and refuse, as a process of its own beside a server."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from smoadsl.tools.cli import main
from smoadsl.tools.commands import batch
from tests.adapters.wall import Act, Attempt, Wait, answer
from tests.adapters.walled import walled
from tests.scale.billing import CALLS, PIPELINE, Shop, shop

SLOW = (0.2, 0.4)  # seconds that an answer takes


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    with shop(tmp_path, getattr(request, "param", (0.0, 0.002))) as made:
        made.ask(20)
        yield made


def output(lab: Shop, name: str = "out.jsonl") -> list[dict[str, object]]:
    return [json.loads(line) for line in (lab.folder / name).read_text().splitlines()]


def test_a_data_set_is_put_through_and_a_second_time_is_for_nothing(lab: Shop) -> None:
    code, said = lab.run()
    assert code == 0
    assert said == ["20 answered · 60 calls · 1,080 tokens · $0.0049 in all", "out.jsonl written, 20 rows"]
    assert len(lab.sold) == 60
    assert [row["id"] for row in output(lab)] == list(range(20))
    (lab.folder / "out.jsonl").unlink()
    code, said = lab.run()
    assert (code, said) == (
        0,
        ["20 answered before · 0 calls · 0 tokens · $0.0049 in all", "out.jsonl written, 20 rows"],
    )
    assert len(lab.sold) == 60
    assert len(output(lab)) == 20


def test_rows_without_an_answer_are_told_and_tried_again(lab: Shop) -> None:
    lab.write('{"prompt": "a"}\n{"prompt": "b\n\n{"prompt": "c"}\n', "in.jsonl")
    code, said = lab.run()
    assert code == 3
    assert said == [
        "2 answered, 1 without an answer · 6 calls · 108 tokens · $0.0005 in all",
        "the first without an answer is row 2: line 2 is no JSON: unexpected end of data at character 14",
        "out.jsonl written, 3 rows",
        "the same command tries the rows without an answer once more",
    ]
    assert [row["smoadsl"]["row"] for row in output(lab)] == [1, 2, 4]  # type: ignore[index]


def test_the_form_is_that_of_the_name(lab: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write("id,query\n1,x\n2,y\n", "in.csv")
    shutil.copy(lab.folder / "in.csv", lab.folder / "in.jsonl")
    command = ["batch", "p.moa", "in.csv", "-o", "out.tsv", "--map", "prompt=query", "--yes"]
    monkeypatch.chdir(lab.folder)
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert (lab.folder / "out.tsv").read_text().splitlines()[1].split("\t")[:4] == ["1", "x", "1", "the answer to x"]


# ---- stopping


@pytest.mark.parametrize("lab", [SLOW], indirect=True)
def test_ctrl_c_ends_what_is_under_way_and_the_same_command_goes_on(lab: Shop) -> None:
    with lab.begin("--concurrency", "4") as process:
        assert lab.wait(process, 6)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    first, told, end = (lab.folder / "err.txt").read_text().splitlines()
    assert first == "stopping once the rows under way have ended; Ctrl-C again stops at once"
    assert told.startswith("4 answered · 12 calls · ")
    assert end == "error: it was interrupted; 16 rows are left: the same command goes on"
    assert len(lab.sold) == 4 * CALLS
    code, said = lab.run()
    assert code == 0
    assert said[0].startswith("4 answered before, 16 answered · 48 calls · ")
    assert "broke off" not in "".join(said)
    assert len(lab.sold) == 60


@pytest.mark.parametrize("lab", [(30, 30)], indirect=True)
@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]], ids=["Ctrl-C twice", "TERM"])
def test_who_is_told_to_stop_at_once_does(lab: Shop, signals: list[signal.Signals]) -> None:
    with lab.begin("--concurrency", "3") as process:
        assert lab.wait(process, 6)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.3)
        begun = time.monotonic()
        assert process.wait(20) == 130
        assert time.monotonic() - begun < 10
    said = (lab.folder / "err.txt").read_text().splitlines()
    assert said[-1] == "stopped at once: the same command goes on, and buys again only what was on its way"
    assert len(said) == len(signals)
    with lab.begin("--concurrency", "3", err="again.txt") as process:  # and is taken up without complaint
        assert lab.wait(process, 12)
        process.kill()
    assert (lab.folder / "again.txt").read_text() == ""


def test_writing_the_output_can_be_broken_off_too(lab: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    command = ["batch", "p.moa", "in.jsonl", "-o", "out.jsonl"]

    def interrupted(*_: object) -> None:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        raise AssertionError("it goes on")

    with monkeypatch.context() as patched:
        patched.setattr(batch, "write_output", interrupted)
        done = CliRunner().invoke(main, command)
    assert (done.exit_code, done.stderr.splitlines()[-1].partition(":")[0]) == (130, "stopped at once")
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, "broke off" in done.stderr, len(lab.sold)) == (0, False, 60)
    assert len(output(lab)) == 20


# ---- one process at a time, one run in a folder


@pytest.mark.parametrize("lab", [(30, 30)], indirect=True)
def test_a_second_process_is_refused(lab: Shop) -> None:
    with lab.begin() as process:
        assert lab.wait(process, 1)
        code, said = lab.run()
        assert (code, said) == (
            3,
            ["error: out.jsonl.run is in use: another process works on this run; let it end, or stop it"],
        )
        assert process.poll() is None
        process.kill()


def test_changes_are_refused_until_they_are_accepted(lab: Shop) -> None:
    assert lab.run()[0] == 0
    lab.ask(21)
    code, said = lab.run()
    assert code == 3
    assert said == [
        "error: the data changed since out.jsonl.run was begun: --accept-changed goes on, and buys only what the "
        "change touches; another output file begins anew"
    ]
    assert len(output(lab)) == 20, "what was there stays"
    assert lab.run("--accept-changed")[0] == 0
    assert (len(lab.sold), len(output(lab))) == (63, 21)
    lab.write(PIPELINE.format(url=lab.url).replace("aggregate b", "aggregate a"), "p.moa")
    code, said = lab.run()
    assert (code, said[0].partition(" since")[0]) == (3, "error: the pipeline changed")
    code, said = lab.run("--accept-changed")
    assert (code, len(lab.sold)) == (0, 63 + 21)
    assert said[0].startswith("21 answered · 63 calls, 21 answers bought · ")


def test_the_time_of_day_is_of_no_account(lab: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    for now in (2e9, 1e9, 0.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        lab.ask(int(3 + now / 1e9))
        done = CliRunner().invoke(main, ["batch", "p.moa", "in.jsonl", "-o", "out.jsonl", "--accept-changed"])
        assert done.exit_code == 0, done.output
    assert len(lab.sold) == 5 * CALLS


# ---- what is refused before anything is done


def test_the_money_holds_for_all_sittings(lab: Shop) -> None:
    assert lab.run("--max-usd", "0.02")[0] == 3
    code, said = lab.run("--max-usd", "0.02")
    assert code == 3
    assert said[-1].startswith("error: $0.0")
    assert said[-1].endswith("rows are left: a higher --max-usd goes on")
    typed = ["compare", "p.moa", "--data", "in.jsonl", "--score", "matches=.", "-o", "out", "--max-usd", "0.0001"]
    done = subprocess.run(
        [sys.executable, "-m", "smoadsl", *typed], cwd=lab.folder, env=lab.environ, capture_output=True
    )
    assert done.returncode == 3
    assert done.stderr.decode().splitlines()[-1].endswith("20 rows are left: a higher --max-usd goes on")
    assert lab.run("--max-usd", "1")[0] == 0
    assert len(lab.sold) == 60


@pytest.mark.parametrize(
    ("status", "usd", "told"),
    [
        (401, "", []),
        (
            402,
            " · $0.0010 in all",
            ["nothing was bought: $0.0010 is the most that calls without an answer can have cost"],
        ),
    ],
)
def test_money_that_bought_nothing_is_said_to_be_of_calls_that_were_under_way(
    status: int, usd: str, told: list[str], tmp_path: Path
) -> None:
    """Of two calls one is refused while the other is still on its way. Whose key was never taken pays nothing."""

    def refuse(attempt: Attempt) -> Iterable[Act]:
        return [Wait(0.1 if attempt.json["model"] == "a" else 20), answer({"error": {"message": "no"}}, status)]

    with walled(refuse) as wall:
        lab = Shop(tmp_path, wall.url)
        lab.ask(1)
        code, said = lab.run()
    assert (code, said[:-1]) == (3, [f"0 answered · 0 calls · 0 tokens{usd}", *told])
    assert said[-1].endswith(f"(status {status}): no; 1 row is left: the same command goes on")


def in_the_way(lab: Shop) -> None:
    lab.write("", "out.jsonl")


def a_link(lab: Shop) -> None:
    (lab.folder / "out.jsonl").symlink_to("in.jsonl")


def no_prices(lab: Shop) -> None:
    lab.write(
        'provider lab = openai { base_url = "http://127.0.0.1:9" }\nmodel a = "lab/a"\npipeline p { aggregate a }',
        "p.moa",
    )


def a_key(lab: Shop) -> None:
    lab.write(PIPELINE.format(url=lab.url).replace("concurrency", 'api_key = env("NOT_SET"), concurrency'), "p.moa")


def a_file(lab: Shop) -> None:
    lab.write("", "out.jsonl.run")


def fifo(lab: Shop) -> None:
    (lab.folder / "in.jsonl").unlink()
    os.mkfifo(lab.folder / "in.jsonl")


def nothing(lab: Shop) -> None:
    return None


REFUSED: list[tuple[str, Callable[[Shop], object], list[str], int, str]] = [
    ("output there", in_the_way, [], 2, "-o out.jsonl: it is there already, and no run of it: remove it, or"),
    ("output is data", nothing, ["-o", "in.jsonl"], 2, "-o in.jsonl: this is the data itself"),
    ("by a link", a_link, [], 2, "-o out.jsonl: this is the data itself"),
    ("no folder", nothing, ["-o", "p.moa/out.jsonl"], 3, "p.moa/out.jsonl.run can not be used: Not a directory"),
    ("no form", nothing, ["-o", "out.txt"], 2, "out.txt: an output is named .jsonl, .csv, .tsv or .parquet"),
    ("a pipe", fifo, [], 2, "in.jsonl is no plain file: a data set is read more than once, so save it in one"),
    ("map", nothing, ["--map", "prompt"], 2, "--map takes FIELD=COLUMN, as in --map prompt=query"),
    ("prices", no_prices, ["--max-usd", "1"], 2, "lab/a"),
    ("key", a_key, ["--allow-env", "NOT_SET={url}"], 3, "NOT_SET  lab needs it, for a"),
    ("run folder", a_file, [], 3, "out.jsonl.run can not be used: File exists"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "options", "code", "said"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_can_not_work_is_refused_before_anything_is_bought(
    lab: Shop,
    how: Callable[[Shop], object],
    options: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how(lab)
    monkeypatch.chdir(lab.folder)
    monkeypatch.setenv("HOME", str(lab.folder))
    command = ["batch", "p.moa", "in.jsonl", "-o", "out.jsonl", *(option.format(url=lab.url) for option in options)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == code, done.output
    assert said in " ".join(done.output.splitlines())
    assert lab.sold == []


@pytest.mark.parametrize("command", [["batch", "p.moa", "in.csv"], ["compare", "p.moa", "--data", "in.csv"]])
def test_what_is_wrong_with_the_data_is_no_wrong_usage(
    lab: Shop, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write('id,prompt\n1,"x\n', "in.csv")
    monkeypatch.chdir(lab.folder)
    done = CliRunner().invoke(main, [*command, "-o", "out.jsonl" if command[0] == "batch" else "out"])
    why = "error: in.csv:2 can not be read as csv: a quote in the row that begins here is never closed\n"
    assert (done.exit_code, done.output) == (2, why)


def test_a_folder_that_is_not_there_is_made_as_compare_makes_it(lab: Shop) -> None:
    code, said = lab.run("-o", "there/too/out.jsonl")
    assert (code, said[-1]) == (0, "there/too/out.jsonl written, 20 rows")
    assert len(output(lab, "there/too/out.jsonl")) == 20


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written(lab: Shop) -> None:
    lab.folder.chmod(0o500)
    try:
        code, said = lab.run()
    finally:
        lab.folder.chmod(0o700)
    assert (code, said) == (3, ["error: out.jsonl.run can not be used: Permission denied"])


# ---- a disk that is full


@pytest.mark.parametrize("lab", [SLOW], indirect=True)
def test_f109_where_few_files_may_be_open_fewer_rows_are_under_way(lab: Shop) -> None:
    lab.ask(100)
    code, said = lab.run("--concurrency", "100", most_files=50)
    assert (code, len(lab.sold)) == (0, 100 * CALLS), said
    assert said[0] == "only 50 files may be open here (`ulimit -n`): 9 rows are under way at once, not 100"
    assert said[-2].startswith("100 answered · 300 calls")


def test_a_full_disk_is_one_sentence_and_loses_nothing(lab: Shop) -> None:
    """There is no room for all that is bought; then there is."""
    lab.ask(300)
    code, said = lab.run(most_bytes=200_000)
    assert code == 3
    assert re.fullmatch(
        r"error: out\.jsonl\.run/ledger\.sqlite3 can not be written: (disk I/O error|database or disk is full); "
        r"once that is mended, the same goes on",
        "\n".join(said),
    )
    assert not (lab.folder / "out.jsonl").exists()
    sold = len(lab.sold)
    assert sold < 900
    code, said = lab.run()
    assert code == 0
    assert "an earlier sitting broke off" in said[1]
    assert 900 <= len(lab.sold) <= 900 + 64
    assert len(output(lab)) == 300


# ---- who looks on


@pytest.mark.parametrize("lab", [SLOW], indirect=True)
def test_that_nobody_looks_on_any_more_ends_nothing(lab: Shop) -> None:
    """Both its outputs lead to a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    command = ["-m", "smoadsl", "batch", "p.moa", "in.jsonl", "-o", "out.jsonl"]
    process = subprocess.Popen([sys.executable, *command], cwd=lab.folder, env=lab.environ, stdout=write, stderr=write)
    os.close(write)
    assert process.wait(60) == 0
    assert len(output(lab)) == 20
