"""Test cli, to use the command as a person does: what it prints where, and the exit code that it ends with."""

import os
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from smoadsl.diagnostics.source import Source
from smoadsl.tools import api
from smoadsl.tools.cli import main
from smoadsl.tools.lacking import lacking_keys

ROOT = Path(__file__).parents[1]
SMOA = str(ROOT / "pipelines" / "smoa.moa")
MOA = str(ROOT / "pipelines" / "papers" / "efficiency" / "moa.moa")


def smoadsl(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=given, env={"TOGETHER_API_KEY": ""})


def test_help_names_every_command() -> None:
    shown = smoadsl("--help")
    assert shown.exit_code == 0
    for command in ("run", "check", "fmt", "plan", "test", "report", "lock", "explain"):
        assert f"\n  {command} " in shown.output


def test_check_is_silent_on_standard_output() -> None:
    done = smoadsl("check", SMOA)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "1 file: no problems\n")


def test_check_shows_each_mistake(tmp_path: Path) -> None:
    (tmp_path / "p.moa").write_text('model m = "groq/x"\npipeline p { aggregate n }\n', encoding="utf-8")
    done = smoadsl("check", SMOA, str(tmp_path / "p.moa"))
    assert done.exit_code == 1
    assert "error[MOA101]: no model is called `n`" in done.stderr
    assert done.stderr.endswith("2 files, 1 with errors\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "nowhere.moa"), "nowhere.moa: No such file"),
        (("run", "nowhere.moa", "hi"), "nowhere.moa: No such file"),
        (("plan", "."), ".: a folder; name the files in it, such as *.moa"),
        (("run", SMOA, ""), "the prompt is empty"),
        (("run", SMOA, "hi", "--set", "k"), "--set takes NAME=VALUE"),
        (("run", SMOA, "hi", "--set", "k=3"), "no param is called `k`"),
        (("run", SMOA, "hi", "--set", "k=3"), "--> --set k:1:1"),
        (("plan", MOA, "--set", "copies=-1"), "--> --set copies:1:1"),
        (("plan", f"{SMOA}:mien"), "help: known here: `smoa`"),
        (("graph", f"{SMOA}:mien"), "no pipeline is called `mien`\n  --> <argument>:1:"),
        (("run", SMOA, "hi", "--model", "qwen3=groq/x"), "no model is called `qwen3`"),
        (("run", SMOA, "hi", "--input", "row.json"), "not both"),
        (("plan",), "Missing argument"),
        (("fly",), "No such command"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], words: str) -> None:
    done = smoadsl(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a_key_that_is_missing_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    done = smoadsl("run", SMOA, "hi")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == (
        "error: a key is missing, so nothing was asked:\n"
        "  TOGETHER_API_KEY  together needs it, for qwen2, qwen15, mixtral and dbrx\n"
        "set it, or swap a model: --model NAME=provider/id\n"
    )


KEYS = """
provider lab = openai {
  base_url = "http://127.0.0.1:9/v1"
  headers  = { "X-Team" = env("LAB_TEAM") }
  api_key  = env("LAB_KEY")
}
model a = "groq/a"
model b = "openai/b"
model c = "together/c" { fallback = b }
model d = "lab/d"
model e = "simulated/e"
pipeline p {
  layer one {
    propose a * 2, b, c, d, e
    judge   a keep 2
  }
  aggregate a
}
"""


ALL = [
    "GROQ_API_KEY groq a",
    "LAB_KEY lab d",
    "LAB_TEAM lab d",
    "OPENAI_API_KEY openai b",
    "TOGETHER_API_KEY together c",
]


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ("", ALL),
        ("OPENAI_API_KEY LAB_TEAM LAB_KEY", ALL[:1]),
        ("TOGETHER_API_KEY LAB_KEY", [ALL[0], ALL[2], ALL[3]]),
        ("GROQ_API_KEY OPENAI_API_KEY LAB_TEAM LAB_KEY", []),
    ],
)
def test_keys_are_missing_only_where_no_fallback_has_one(there: str, missing: list[str]) -> None:
    plan = api.compile(Source("keys.moa", KEYS)).value
    assert plan is not None
    environ = dict.fromkeys(there.split(), "x")
    lacking = lacking_keys(plan, environ)
    told = [f"{variable} {provider} {' '.join(models)}" for (variable, provider), models in lacking.items()]
    assert sorted(told) == missing
    every = {variable for variable, _ in lacking_keys(plan, environ, every_route=True)}
    assert every == {one.split()[0] for one in ALL} - set(environ)


def test_the_plan_for_people_and_for_machines() -> None:
    shown = smoadsl("plan", SMOA)
    assert shown.exit_code == 0
    assert all(len(line) <= 100 for line in shown.stdout.splitlines())
    assert "5" in shown.stdout
    assert "11" in shown.stdout
    plan = orjson.loads(smoadsl("plan", SMOA, "--json").stdout)
    assert plan["version"] == 1
    assert plan["bounds"]["calls"] == {"least": 5, "full": 11, "worst": 13}


def test_tests_in_files_pass_and_fail(tmp_path: Path) -> None:
    assert smoadsl("test", SMOA).exit_code == 0
    text = (
        'model m = "groq/x"\npipeline p { aggregate m }\n'
        'test "t" for p {\n  prompt "hi"\n  reply * "x"\n  expect calls == 2\n}\n'
    )
    (tmp_path / "p.moa").write_text(text, encoding="utf-8")
    failed = smoadsl("test", str(tmp_path / "p.moa"))
    assert failed.exit_code == 1
    assert "expect calls == 2" in failed.output
    assert "calls is 1" in failed.output


def test_roles_are_locked_or_refused(tmp_path: Path) -> None:
    text = (
        'model m = "groq/x"\nroles r = generate(m, 2) { task = "Answer." }\n'
        "pipeline p {\n  layer one { propose m * 2 as r }\n  aggregate m\n}\n"
    )
    (tmp_path / "p.moa").write_text(text, encoding="utf-8")
    assert smoadsl("lock", "--check", str(tmp_path / "p.moa")).exit_code == 1
    (tmp_path / "q.moa").write_text('model m = "groq/x"\npipeline q { aggregate m }\n', encoding="utf-8")
    assert "q.moa: no list of roles is generated here" in smoadsl("lock", str(tmp_path / "q.moa")).stderr
    refused = smoadsl("run", "--locked", str(tmp_path / "p.moa"), "hi")
    assert refused.exit_code == 1
    assert "not locked: run `smoadsl lock" in refused.stderr


def test_a_test_that_fails_tells_what_happened(tmp_path: Path) -> None:
    text = (
        'model m = "groq/x"\npipeline p {\n  layer one { propose m * 2 }\n  aggregate m\n}\n'
        'test "t" for p {\n  prompt "first?"\n  prompt "second?"\n  reply m.1 "one"\n  reply * "two\\u001b[31m"\n'
        '  expect rounds == 3\n  expect answer == "no"\n}\n'
    )
    (tmp_path / "p.moa").write_text(text, encoding="utf-8")
    failed = smoadsl("test", str(tmp_path / "p.moa"))
    assert failed.exit_code == 1
    for words in (":11: expect rounds == 3\n      rounds is 2\n", ':12: expect answer == "no"\n      answer is "two'):
        assert words in failed.stdout
    happened = failed.stdout.partition("what happened:")[2]
    assert [
        word for word in ("first?", "second?", "one round 1", "m.1 ·", "two", "saw m.1 and m.2") if word not in happened
    ] == []
    assert max(map(len, happened.splitlines())) <= 80
    assert "\x1b" not in failed.output


def test_of_a_test_without_a_reply_only_that_is_said(tmp_path: Path) -> None:
    text = (
        'model m = "groq/x"\npipeline p {\n  layer one { propose m, a = m }\n  aggregate m\n}\n'
        'test "t" for p {\n  prompt "hi"\n  reply a "x"\n  reply judge [a]\n  expect not failed\n}\n'
    )
    (tmp_path / "p.moa").write_text(text, encoding="utf-8")
    failed = smoadsl("test", str(tmp_path / "p.moa"))
    assert 'a reply for m\n      the test has none: add `reply m "…"`' in failed.stdout
    assert "expect not failed" not in failed.stdout
    assert "never used" not in failed.stdout


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        ([], "flowchart TB\n"),
        (["--format", "dot"], 'digraph "smoa" {\n'),
        (["--format", "svg"], "<svg "),
        (["--model", "*=groq/x", "--format", "svg"], "<svg "),
    ],
)
def test_graph_draws_on_standard_output(arguments: list[str], begins: str) -> None:
    done = smoadsl("graph", SMOA, *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(begins)
    assert ("groq/x" in done.stdout) is ("--model" in arguments)


@pytest.mark.parametrize(("name", "begins"), [("p.svg", "<svg "), ("p.GV", "digraph "), ("p.mmd", "flowchart ")])
def test_graph_writes_a_file_in_the_format_of_its_name(tmp_path: Path, name: str, begins: str) -> None:
    done = smoadsl("graph", SMOA, "-o", str(tmp_path / name))
    assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    assert smoadsl("graph", SMOA, "-o", str(tmp_path / name), "--format", "mermaid").exit_code == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("flowchart ")


def test_no_output_takes_the_place_of_a_pipeline_or_of_what_is_read(tmp_path: Path) -> None:
    pipeline, row, trace = tmp_path / "p.moa", tmp_path / "row.json", tmp_path / "t.jsonl"
    pipeline.write_text('model a = "simulated/a"\npipeline p { aggregate a }\n', encoding="utf-8")
    row.write_text('{"prompt": "hi"}', encoding="utf-8")
    file = str(pipeline)
    assert smoadsl("run", file, "hi", "--trace", str(trace)).exit_code == 0
    before = {path: path.read_bytes() for path in (pipeline, row, trace)}
    (tmp_path / "link.json").symlink_to(row)
    for command in (
        ("run", file, "hi", "--trace", file),
        ("run", file, "--input", str(row), "--trace", str(tmp_path / "link.json")),
        ("graph", file, "--format", "svg", "-o", file),
        ("report", str(trace), "-o", str(trace)),
        ("report", str(trace), "-o", file),
    ):
        refused = smoadsl(*command)
        assert refused.exit_code == 2, command
        assert "would be lost: name another file" in refused.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_graph_says_what_it_can_not_draw(tmp_path: Path) -> None:
    unknown = smoadsl("graph", SMOA, "-o", str(tmp_path / "p.png"))
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "say the --format, or end the name in .svg" in unknown.stderr
    nowhere = smoadsl("graph", SMOA, "-o", str(tmp_path / "none" / "p.svg"))
    assert (nowhere.exit_code, nowhere.stdout) == (2, "")
    assert "No such file" in nowhere.stderr
    broken = tmp_path / "b.moa"
    broken.write_text("pipeline p { aggregate n }\n", encoding="utf-8")
    assert smoadsl("graph", str(broken)).exit_code == 1
    assert not smoadsl("graph", str(broken)).stdout


def test_the_root_confines_what_is_read(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "models.moa").write_text('model m = "groq/x"\n', encoding="utf-8")
    inner = tmp_path / "inner"
    inner.mkdir()
    text = 'import "../models.moa"\npipeline p { aggregate m }\ntest "t" for p {\n prompt "hi"\n reply * "x"\n}\n'
    file = inner / "p.moa"
    file.write_text(text, encoding="utf-8")
    for command in ("check", "plan", "test", "lock", "graph"):
        assert smoadsl(command, str(file)).exit_code == 0
        assert smoadsl(command, "--root", str(tmp_path), str(file)).exit_code == 0
        refused = smoadsl(command, "--root", str(inner), str(file))
        assert refused.exit_code == 1
        assert "`../models.moa` lies outside the project's root, inner/" in refused.stderr
        assert "name a folder that holds both with `--root FOLDER`" in refused.stderr
        outside = smoadsl(command, "--root", str(inner), str(tmp_path / "models.moa"))
        assert outside.exit_code == 2
        assert "it lies outside the root, inner/" in outside.stderr
        assert smoadsl(command, "--root", str(file), str(file)).exit_code == 2
    assert smoadsl("run", "--root", str(inner), str(file), "hi").exit_code == 1
    assert smoadsl("run", "--root", str(inner), str(tmp_path / "models.moa"), "hi").exit_code == 2


def test_tests_of_imported_files_do_not_run(tmp_path: Path) -> None:
    test = 'test "%s" for p {\n  prompt "hi"\n  reply * "x"\n}\n'
    (tmp_path / "a.moa").write_text(
        'model m = "groq/x"\npipeline p { aggregate m }\n' + test % "of a", encoding="utf-8"
    )
    (tmp_path / "b.moa").write_text('import "a.moa"\n' + test % "of b", encoding="utf-8")
    done = smoadsl("test", str(tmp_path / "b.moa"))
    assert (done.exit_code, done.stderr) == (0, "1 passed, 0 failed\n")
    assert "of b" in done.stdout


BYTES = "hi\udcff"  # what Python makes of an argument with a byte that is not UTF-8
FREE = 'model m = "simulated/m"\npipeline p { aggregate m }\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "p.moa", BYTES], "the prompt is not in UTF-8: there are other bytes after 'hi'"),
        (["run", "p.moa", "\udcff", "--cache"], "the prompt is not in UTF-8: there are other bytes at its beginning"),
        (["run", "p.moa", BYTES, "--trace", "t.jsonl"], "the prompt is not in UTF-8"),
        (["run", "p.moa", "hi", "--model", f"m=groq/{BYTES}"], "--model is not in UTF-8"),
        (["run", "p.moa", "hi", "--set", f"n={BYTES}"], "--set is not in UTF-8"),
        (["plan", "p.moa", "--messages", BYTES], "--messages is not in UTF-8"),
        (["run", "p.moa", "hi", "--max-tokens", str(1 << 64)], "Invalid value for '--max-tokens'"),
        (["batch", "p.moa", "d.jsonl", "-o", "o.jsonl", "--seed", str(1 << 63)], "Invalid value for '--seed'"),
        (["compare", "p.moa", "--data", "d.jsonl", "-o", "o", "--seed", str(1 << 63)], "Invalid value for '--seed'"),
    ],
)
def test_what_nothing_can_hold_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.moa").write_text(FREE, encoding="utf-8")
    Path("d.jsonl").write_text('{"prompt": "hi"}\n', encoding="utf-8")
    done = smoadsl(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "p.moa"]


def test_a_prompt_that_is_read_is_in_utf8_too(tmp_path: Path) -> None:
    (tmp_path / "p.moa").write_text(FREE, encoding="utf-8")
    done = CliRunner().invoke(main, ["run", str(tmp_path / "p.moa")], input=b"caf\xe9")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the prompt is not in UTF-8" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes in POSIX")
def test_a_name_of_a_file_need_not_be_in_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{BYTES}.moa"
    try:
        Path(name).write_text(FREE, encoding="utf-8")
    except OSError:
        pytest.skip("there are no such names here")
    Path("p.moa").write_text(FREE, encoding="utf-8")
    Path("d.jsonl").write_text('{"prompt": "hi", "answer": "so"}\n', encoding="utf-8")
    for arguments in (
        ["run", name, "hi", "--trace", "t.jsonl"],
        ["replay", "t.jsonl"],
        ["plan", name, "--json"],
        ["plan", "p.moa", "--against", name, "--json"],
        ["batch", name, "d.jsonl", "-o", "o.jsonl"],
        ["compare", name, "p.moa", "--data", "d.jsonl", "-o", "compared"],
    ):
        assert smoadsl(*arguments).exit_code == 0, arguments
    assert "p: p takes" in smoadsl("compare", name, "p.moa", "--data", "d.jsonl", "-o", "compared").output
