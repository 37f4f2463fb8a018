"""Test doctor, to ask providers of each protocol how they are: well, without a key, refusing, silent, astray."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls.route import Env, Provider
from smoadsl.tools.cli import main
from smoadsl.tools.examining import at_hand, examined
from tests.adapters.wall import Act, Attempt, Ending, answer
from tests.adapters.walled import walled

CANARY = "CANARY-77aa-doctor"
KEYS: dict[str, str | None] = {row.key: None for row in WELL_KNOWN.values() if row.key}
LISTS: dict[str, tuple[str, Any]] = {
    "openai": ("/models", {"object": "list", "data": [{"id": "small"}, {"id": "large"}]}),
    "anthropic": ("/models?limit=1000", {"data": [{"id": "small", "type": "model"}, {"id": "large"}]}),
    "gemini": ("/models?pageSize=1000", {"models": [{"name": "models/small"}, {"name": "models/large"}]}),
    "ollama": ("/api/tags", {"models": [{"name": "small:latest"}, {"name": "large"}]}),
}
FILE = """
provider acme = %s { base_url = "%s", api_key = env("ACME_KEY") }
model m = "acme/%s"
pipeline p { aggregate m }
"""


def smoadsl(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], env={**KEYS, "ACME_KEY": None, **environ})


def examined_by_file(folder: Path, acts: Iterable[Act], adapter: str = "openai", model: str = "small") -> Result:
    """What the doctor says of a file whose provider does that, whatever it is asked."""
    with walled(lambda _: acts) as wall:
        (folder / "p.moa").write_text(FILE % (adapter, wall.url, model), encoding="utf-8")
        return smoadsl("doctor", folder / "p.moa", ACME_KEY=CANARY)


@pytest.mark.parametrize("adapter", LISTS)
def test_a_provider_that_is_well(tmp_path: Path, adapter: str) -> None:
    path, body = LISTS[adapter]
    seen: list[Attempt] = []

    def script(attempt: Attempt) -> Iterable[Act]:
        seen.append(attempt)
        return [answer(body)]

    with walled(script) as wall:
        (tmp_path / "p.moa").write_text(FILE % (adapter, wall.url, "small"), encoding="utf-8")
        done = smoadsl("doctor", tmp_path / "p.moa", ACME_KEY=CANARY)
        told = smoadsl("doctor", tmp_path / "p.moa", "--json", ACME_KEY=CANARY)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("✓ acme · 0.")
    assert " s · 2 models · key in ACME_KEY\n" in done.stdout
    assert "large, small" in done.stdout
    assert "does not list" not in done.stdout
    assert [(one.method, one.path, one.body) for one in seen] == [("GET", path, b"")] * 2
    assert any(CANARY in value for value in seen[0].headers.values())
    (found,) = orjson.loads(told.stdout)
    assert (found["well"], found["key"], found["key_is_set"], found["lacking"]) == (True, "ACME_KEY", True, [])
    assert CANARY not in done.output + told.output


def test_a_key_that_is_listed_as_a_model_is_not_shown(tmp_path: Path) -> None:
    done = examined_by_file(tmp_path, [answer({"data": [{"id": "small"}, {"id": CANARY}, {"id": f"x-{CANARY}-y"}]})])
    assert done.exit_code == 0
    assert "[redacted], small, x-[redacted]-y" in done.stdout


def test_a_model_that_is_not_listed_is_told(tmp_path: Path) -> None:
    done = examined_by_file(tmp_path, [answer(LISTS["openai"][1])], model="huge")
    assert done.exit_code == 0
    assert "    does not list huge, which is to be asked\n" in done.stdout


ILL: dict[str, tuple[list[Act], str]] = {
    "a key that is refused": (
        [answer({"error": {"message": f"{CANARY} is no key"}}, 401)],
        "acme refused the key given for it (status 401): [redacted] is no key",
    ),
    "a provider that failed": ([answer({}, 500)], "acme failed inside (status 500)"),
    "another page": ([answer({"hello": "world"})], "acme sent something that is no list of models"),
    "no JSON": ([answer(b"<html>")], "acme sent something that is not JSON"),
    "a redirect": ([answer({}, 302, {"Location": "http://127.0.0.1:1/"})], "which is not followed"),
    "a closed door": ([Ending.CLOSE], "closed the connection without an answer"),
}


@pytest.mark.parametrize(("acts", "words"), ILL.values(), ids=ILL.keys())
def test_a_provider_that_a_file_needs_and_that_is_not_well(tmp_path: Path, acts: list[Act], words: str) -> None:
    done = examined_by_file(tmp_path, acts)
    assert done.exit_code == 1
    assert done.stdout.startswith("✗ acme · key in ACME_KEY\n")
    assert words in " ".join(done.stdout.split())
    assert CANARY not in done.output
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_who_lists_no_models_is_well_all_the_same(tmp_path: Path) -> None:
    done = examined_by_file(tmp_path, [answer({}, 404)])
    assert done.exit_code == 0
    assert "acme lists no models" in done.stdout


def test_a_key_that_is_not_set_is_named_and_nobody_is_asked(tmp_path: Path) -> None:
    with walled(lambda _: [answer({})]) as wall:
        (tmp_path / "p.moa").write_text(FILE % ("openai", wall.url, "m"), encoding="utf-8")
        done = smoadsl("doctor", tmp_path / "p.moa")
        assert wall.attempts == []
    assert done.exit_code == 1
    assert "acme needs a key: set ACME_KEY" in done.stdout


def test_silent_providers_are_waited_for_together_and_not_for_long() -> None:
    with walled(lambda _: [Ending.HOLD]) as wall:
        silent = [(Provider(f"p{n}", "openai", wall.url, Env("ACME_KEY")), ()) for n in range(5)]
        begun = time.monotonic()
        found = examined(silent, {"ACME_KEY": CANARY}, within_s=1.0)
        assert time.monotonic() - begun < 4, "one after another they would take 5 s"
    assert {one.said.partition(" ")[2] for one in found} == {"gave no answer within 1 s"}
    assert not any(one.well for one in found)


def test_without_files_those_with_a_key_are_asked_and_servers_on_this_machine() -> None:
    names = [provider.name for provider, _ in at_hand({"GROQ_API_KEY": "k", "OPENAI_API_KEY": " "})]
    assert names == ["groq", "llamacpp", "lmstudio", "ollama", "vllm"]


def test_a_file_with_problems_is_told_and_nobody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "p.moa").write_text('model m = "groq/x"\npipeline p { aggregate n }\n', encoding="utf-8")
    done = smoadsl("doctor", tmp_path / "p.moa")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "MOA101" in done.stderr
    missing = smoadsl("doctor", tmp_path / "q.moa")
    assert missing.exit_code == 2


# ---- the table


def test_the_table_of_providers_fits_and_shows_no_key() -> None:
    done = smoadsl("providers", GROQ_API_KEY=CANARY)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["provider", *WELL_KNOWN]
    (groq,) = [line.split() for line in lines if line.startswith("groq ")]
    assert groq == ["groq", "openai", "GROQ_API_KEY", "yes", "no", "JSON"]
    assert sum(" yes " in line for line in lines) == 1 + sum(row.n for row in WELL_KNOWN.values())
    assert CANARY not in done.output


def test_the_table_for_machines_has_every_provider() -> None:
    done = smoadsl("providers", "--json", MISTRAL_API_KEY=CANARY)
    rows = {row["provider"]: row for row in orjson.loads(done.stdout)}
    assert list(rows) == list(WELL_KNOWN)
    assert [name for name, row in rows.items() if row["key_is_set"]] == ["mistral"]
    assert rows["anthropic"]["refuses"] == ["frequency_penalty", "min_p", "presence_penalty", "seed"]
    assert CANARY not in done.output
