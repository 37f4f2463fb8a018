"""Test review, to use `smoadsl plan` as a reviewer and a CI job do: on a real repository, with a change in it."""

import re
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from smoadsl.tools.cli import main
from tests.repositories import Repository

ROOT = Path(__file__).parent.parent
BEFORE = """
import "models.moa"

template critique = file("critique.j2")

pipeline smoa {
  layer debate repeat 2 {
    propose qwen, mixtral, llama { template = critique }
    judge   qwen keep 1
    stop    when moderator(qwen)
  }
  aggregate qwen
}
"""
MODELS = """
model qwen    = "together/Qwen/Qwen2-72B-Instruct" { price = { input = $0.90, output = $0.90 } }
model mixtral = "together/mistralai/Mixtral-8x22B-Instruct-v0.1" { price = { input = $1.20, output = $1.20 } }
model llama   = "together/meta-llama/Llama-3-70b-chat-hf" { price = { input = $0.90, output = $0.90 } }
"""
CRITIQUE = "Look at what the others wrote.\n\n{{ references | fenced }}\n\nAnswer again, in your own words.\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository whose main branch has a pipeline, and a branch that raises `keep`, swaps a model and edits a
    prompt; the branch is checked out."""
    made = Repository(tmp_path / "repo")
    made.commit(smoa_moa=BEFORE, models_moa=MODELS, critique_j2=CRITIQUE)
    made.git("checkout", "--quiet", "-b", "change")
    made.commit(
        smoa_moa=BEFORE.replace("keep 1", "keep 2").replace("mixtral,", "opus,"),
        models_moa=MODELS + 'model opus = "openai/gpt-4.1" { price = { input = $2, output = $8 } }\n',
        critique_j2=CRITIQUE.replace("in your own words", "in `one` sentence | @everyone"),
    )
    monkeypatch.chdir(made.folder)
    return made


def smoadsl(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments])


# ---- a pull request


def test_a_comment_says_at_a_glance_what_a_change_does(repository: Repository) -> None:
    """The verdict first, then what changed and what that costs; the prompt's text is folded away."""
    done = smoadsl("smoa.moa", "--against", "main:smoa.moa", "--format", "markdown")
    assert done.exit_code == 0
    lines = done.stdout.split("\n")
    assert re.fullmatch(r"### Cost up \d+ %: \$0\.\d+ → \$[\d.]+ at worst; calls 11 (→ \d+|as before)", lines[0])
    assert lines[2] == "Pipeline `smoa` of `smoa.moa`, against `main:smoa.moa`."
    head, folded = done.stdout.split("<details>", 1)
    assert "| `layer debate · keep` | `1` | `2` |" in head
    swapped = "`mixtral = together/mistralai/Mixtral-8x22B-Instruct-v0.1` | `opus = openai/gpt-4.1`"
    assert f"| `layer debate, opus · model` | {swapped} |" in head
    assert "| `template critique` |  | +1 −1 lines |" in head
    assert re.search(r"^\| dollars \| .* → .* \| \$0\.\d+ → \$[\d.]+ \(\+\d+ %\) \|$", head, re.MULTILINE)
    assert len(head.split("\n")) < 30
    assert "-Answer again, in your own words.\n+Answer again, in `one` sentence | @everyone.\n" in folded
    assert "@everyone" not in head


def test_a_limit_fails_it_and_says_by_how_much(repository: Repository) -> None:
    against = ("smoa.moa", "--against", "main:smoa.moa", "--format", "markdown")
    assert smoadsl("main:smoa.moa", "--max-usd", "0.40").exit_code == 0
    done = smoadsl(*against, "--max-usd", "0.40")
    assert done.exit_code == 1
    said = r"cost \$[\d.]+ at worst, \$[\d.]+ more than --max-usd 0\.40\."
    assert re.match(rf"error: {said}", done.stderr)
    assert "`budget { usd = $0.40 }` in pipeline smoa holds every run to the limit" in done.stderr
    assert re.search(rf"^> \*\*Over the limit:\*\* {said}", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(("name", "limit"), [("usd", "$0.001"), ("calls", "3"), ("tokens", "500")])
def test_a_budget_is_advised_only_where_it_holds_a_run(repository: Repository, name: str, limit: str) -> None:
    """What is told instead is the least that `check` lets a budget be."""
    done = smoadsl("smoa.moa", f"--max-{name}", limit.removeprefix("$"))
    needed = re.search(
        r"the limit, as its first answers and the last alone may take (\$?[\d._]+)$", done.stderr.rstrip()
    )
    assert done.exit_code == 1
    assert needed is not None
    for amount, code in ((limit, 1), (needed[1], 0)):
        held = BEFORE.replace("pipeline smoa {", f"pipeline smoa {{\n  budget {{ {name} = {amount} }}")
        repository.write(held_moa=held.replace("mixtral,", "opus,"))
        assert CliRunner().invoke(main, ["check", "held.moa"]).exit_code == code


def test_the_same_for_a_person_fits_a_hundred_columns(repository: Repository) -> None:
    done = smoadsl("smoa.moa", "--against", "main:smoa.moa")
    assert done.exit_code == 0
    lines = done.stdout.split("\n")
    assert lines[0] == "smoa.moa (pipeline smoa), against main:smoa.moa"
    assert lines[1].startswith("cost up ")
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in done.stdout
    assert "  -Answer again, in your own words.\n" in done.stdout


def test_the_same_for_machines(repository: Repository) -> None:
    done = smoadsl("smoa.moa", "--against", "main:smoa.moa", "--json")
    found = orjson.loads(done.stdout)
    assert found["version"] == 1
    assert (found["before"]["file"], found["after"]["file"]) == ("main:smoa.moa", "smoa.moa")
    assert found["changes"][0] == {
        "area": "shape", "where": "layer debate", "what": "keep", "before": "1", "after": "2", "renamed": False,
        "places": [],
    }  # fmt: skip
    (text,) = found["texts"]
    assert (text["what"], text["added"], text["removed"]) == ("template critique", 1, 1)
    usd = next(figure for figure in found["figures"] if figure["name"] == "usd")
    assert usd["after"]["worst"] > usd["before"]["worst"]


def test_what_is_not_committed_counts(repository: Repository) -> None:
    """The file as it lies there is what is reviewed, unless a revision of it is named."""
    repository.write(smoa_moa=BEFORE)
    assert "keep" not in smoadsl("smoa.moa", "--against", "main:smoa.moa").stdout
    assert "keep" in smoadsl("HEAD:smoa.moa", "--against", "main:smoa.moa").stdout


def test_nothing_changed(repository: Repository) -> None:
    done = smoadsl("change:smoa.moa", "--against", "smoa.moa")
    assert done.stdout.split("\n")[1].startswith("nothing changed; cost as before: $")
    comment = smoadsl("smoa.moa", "--against", "smoa.moa", "--format", "markdown").stdout
    assert comment.startswith("### Nothing changed; cost as before: $")
    assert "|" not in comment


def test_a_price_that_nobody_knows(repository: Repository) -> None:
    repository.write(models_moa=MODELS + 'model opus = "together/@all/`x`"\n')
    done = smoadsl("smoa.moa", "--against", "main:smoa.moa", "--format", "markdown", "--max-usd", "9")
    assert done.exit_code == 1
    assert "error: cost not known, so that it can not be held to --max-usd 9: there is no price for" in done.stderr
    assert done.stdout.startswith(
        "### Cost not known (no price for <code>together&#47;&#64;all&#47;&#96;x&#96;</code>);"
    )


def test_locks_are_read_at_their_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Repository(tmp_path / "repo")
    monkeypatch.chdir(made.folder)
    text = (
        'model m = "groq/m"\nroles r = generate(m, 2)\npipeline p { layer one { propose m * 2 as r }\n aggregate m }\n'
    )
    (made.folder / "p.moa").write_text(text.replace("\n aggregate m }", "\n  aggregate m\n}"), encoding="utf-8")
    print_ = re.search(r'"fingerprint": "(\w+)"', smoadsl("p.moa", "--json").stdout)
    assert print_ is not None
    for roles in (["You doubt.", "You hope."], ["You doubt.", "You know."]):
        entry = {"fingerprint": print_[1], "n": 2, "model": "groq/m", "roles": roles}
        lock = orjson.dumps({"version": 1, "roles": {"r": entry}}, option=orjson.OPT_INDENT_2)
        (made.folder / "p.moa.lock").write_bytes(lock)
        made.commit()
    done = smoadsl("p.moa", "--against", "HEAD~1:p.moa")
    assert "locked roles r: +1 −1 lines" in done.stdout
    assert "  -You hope.\n  +You know.\n" in done.stdout
    assert "role of" not in done.stdout


# ---- which pipeline


def test_a_pipeline_of_several(repository: Repository) -> None:
    two = 'import "models.moa"\npipeline a { aggregate qwen }\npipeline b { aggregate llama }\n'
    repository.commit(two_moa=two)
    for words in (
        ("two.moa:a",),
        ("two.moa", "--pipeline", "a"),
        ("HEAD:two.moa:a",),
        ("HEAD:two.moa", "--pipeline", "a"),
    ):
        assert "pipeline a\n" in smoadsl(*words).stdout
    same = smoadsl("two.moa:b", "--against", "HEAD:two.moa").stdout
    assert "nothing changed" in same
    assert "two.moa (pipeline b), against two.moa:a" not in same
    other = smoadsl("two.moa:b", "--against", "two.moa:a").stdout
    assert "pipeline b  name" in other
    assert "renamed: a → b" in other
    assert smoadsl("two.moa:b", "--pipeline", "a").exit_code == 2


# ---- gates and sizes


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (("--max-calls", "10"), "error: calls 11 at worst, 1 more than --max-calls 10. "),
        (("--max-calls", "11"), ""),
        (("--max-tokens", "1000"), "error: tokens "),
        (("--max-tokens", "99_000_000"), ""),
        (("--max-usd", "$0.01"), "error: cost $0."),
        (("--max-usd", "99"), ""),
    ],
)
def test_gates(repository: Repository, gate: tuple[str, str], said: str) -> None:
    done = smoadsl("main:smoa.moa", *gate)
    assert done.exit_code == (1 if said else 0)
    assert done.stderr.startswith(said) if said else not done.stderr
    assert done.stdout.startswith("pipeline smoa")


def test_a_budget_holds_a_plan_to_its_limit(repository: Repository) -> None:
    """As the gate's message says."""
    repository.write(smoa_moa=BEFORE.replace("  layer debate", "  budget { calls = 9 }\n  layer debate"))
    assert smoadsl("smoa.moa", "--max-calls", "9").exit_code == 0
    assert smoadsl("smoa.moa", "--max-calls", "8").exit_code == 1


def test_the_size_of_the_prompt_and_what_calls_take(repository: Repository) -> None:
    small, large = (orjson.loads(smoadsl("smoa.moa", "--json", "--prompt-tokens", n).stdout) for n in ("10", "9000"))
    assert small["bounds"]["input_tokens"]["full"] < large["bounds"]["input_tokens"]["full"]
    assert small["bounds"]["seconds"] is None
    timed = orjson.loads(smoadsl("smoa.moa", "--json", "--latency", "3s", "--latency", "qwen=1m").stdout)
    assert timed["bounds"]["seconds"]["full"] == 60 * 5  # the path goes through qwen each time


def test_a_decision_can_be_left_out(repository: Repository) -> None:
    with_, without = (
        orjson.loads(smoadsl("main:smoa.moa", "--json", *words).stdout) for words in ((), ("--without", "fuse"))
    )
    made, left = ({one["pass_name"] for one in plan["decisions"]} for plan in (with_, without))
    assert made - left == {"fuse"}
    assert (with_["bounds"]["calls"]["worst"], without["bounds"]["calls"]["worst"]) == (11, 13)


# ---- messages


def test_messages_before_any_is_sent(repository: Repository) -> None:
    shown = smoadsl("smoa.moa", "--messages", "Why is the sky blue?")
    assert shown.exit_code == 0
    assert "calls of pipeline smoa, none of them made" in shown.stdout
    assert "── propose opus, layer debate, round 1 ──" in shown.stdout
    assert "── judge and moderator, layer debate, round 1 ──" in shown.stdout
    assert max(map(len, shown.stdout.split("\n"))) <= 80
    calls = orjson.loads(smoadsl("smoa.moa", "--messages", "Why is the sky blue?", "--json").stdout)["calls"]
    assert (calls[0]["messages"][-1]["role"], calls[0]["messages"][-1]["content"]) == ("user", "Why is the sky blue?")


# ---- wrong usage


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--against", "nowhere:smoa.moa"), "nowhere names no commit of the repository"),
        (("--against", "main~1:smoa.moa"), "main~1 names no commit of the repository"),
        (("--against", "main:new.moa"), "new.moa does not exist at main"),
        (("--against", "new.moa"), "new.moa: No such file or directory"),
        (("--against", "main:../smoa.moa"), "lies in no git repository"),
        (("--latency", "3"), "--latency takes 3s or NAME=3s"),
        (("--latency", "=3s"), "--latency takes 3s or NAME=3s"),
        (("--latency", "qwenn=3s"), "the plan asks no model of that name; did you mean `qwen`?"),
        (("--without", "fuze"), "there is no such pass; did you mean `fuse`?"),
        (("--max-usd", "cheap"), "'cheap' is no amount of money such as 0.25"),
        (("--max-usd", "nan"), "no amount of money"),
        (("--max-calls", "-1"), "-1 is not in the range"),
        (("--prompt-tokens", "0"), "0 is not in the range"),
        (("--format", "markdown"), "give --against as well"),
        (("--format", "markdown", "--json", "--against", "x"), "--json and --format markdown are two formats"),
        (("--messages", " "), "not empty"),
        (("--messages", "hi", "--against", "main:smoa.moa"), "give one of them"),
    ],
)
def test_wrong_usage_is_told(repository: Repository, words: tuple[str, ...], said: str) -> None:
    done = smoadsl("smoa.moa", *words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_a_file_that_had_errors_then(repository: Repository) -> None:
    first = repository.commit(smoa_moa="pipeline smoa { aggregate nobody }\n")[:8]
    repository.write(smoa_moa=BEFORE)
    done = smoadsl("smoa.moa", "--against", f"{first}:smoa.moa")
    assert done.exit_code == 1
    assert "error[MOA101]: no model is called `nobody`" in done.stderr
    assert f"  --> {first}:./smoa.moa:1:27" in done.stderr
    assert done.stderr.endswith(f"error: there is no plan of {first}:smoa.moa to compare with\n")


def test_outside_of_any_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.moa").write_text(MODELS + "pipeline p { aggregate qwen }\n", encoding="utf-8")
    done = smoadsl("p.moa", "--against", "main:p.moa")
    assert done.exit_code == 2
    assert "p.moa lies in no git repository, so there is no revision main of it" in " ".join(done.stderr.split())
    assert smoadsl("p.moa", "--against", "p.moa").exit_code == 0


def test_nothing_in_a_file_commands_a_log(repository: Repository) -> None:
    repository.commit(critique_j2="\n::add-mask::x\n ##[group]y\n\x1b[2Jz {{ references | fenced }}\n")
    for words in (("--against", "main:smoa.moa"), ("--messages", "::stop"), ("--against", "main:smoa.moa", "--json"),
                  ("--against", "main:smoa.moa", "--format", "markdown"), ("--json",)):  # fmt: skip
        shown = smoadsl("smoa.moa", *words).stdout
        assert not re.search(r"^\s*::", shown, re.MULTILINE)
        assert "##[" not in shown
        assert "\x1b" not in shown
