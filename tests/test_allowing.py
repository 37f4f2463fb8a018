"""Test allowing, to see as a user does a key let go somewhere, and that remembered where no project can."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smoadsl.tools.allowing import Unreadable, allowed_keys, memory
from smoadsl.tools.cli import main
from tests.canary import CANARY

HERE = "https://llm.example.invalid"
ALLOW = ("--allow-env", f"LAB_KEY={HERE}")
ENV = {"LAB_KEY": CANARY, "CI": "", "TF_BUILD": "", "JENKINS_URL": "", "TEAMCITY_VERSION": ""}
PROGRAM = f"""
provider lab = openai {{ base_url = "{HERE}/v1", api_key = env("LAB_KEY"), retries = 0 }}
model big = "lab/x"
pipeline p {{ aggregate big }}
test "plays" for p {{
  prompt "hi"
  reply big "yes"
  expect answer == "yes"
}}
"""

MADE = f"""
provider lab = openai {{ base_url = "{HERE}/v1", api_key = env("LAB_KEY"), retries = 0 }}
model big = "lab/x"
roles many = generate(big, 3) {{ task = "Help." }}
pipeline p {{
  layer a {{ propose big * 3 as many }}
  aggregate big
}}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file, and a home beside it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LAB_KEY"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "p.moa"
    path.write_text(PROGRAM, encoding="utf-8")
    return str(path)


def nobody_is_there(done: Result) -> bool:
    """Whether a host that does not exist was asked for: who looks for it may take long to find that out."""
    return any(words in done.output for words in ("was not found", "did not take the connection in time"))


def ran(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, words, env={**ENV, **(env or {})})


def test_it_is_asked_once_and_remembered_for_nobody_else_to_read(file: str, tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    trace.write_text("kept\n")
    refused = ran("run", file, "hi", "--trace", str(trace))
    told = f"error: LAB_KEY would go to {HERE} (provider lab): that was never allowed; if it is meant, add "
    assert (refused.exit_code, refused.output) == (3, f"{told}{' '.join(ALLOW)}\n")
    assert trace.read_text() == "kept\n"

    path = tmp_path / "home/.config/smoadsl/keys.json"
    allowed = ran("run", file, "hi", *ALLOW)
    assert allowed.output.startswith(f"LAB_KEY={HERE}: allowed from now on, as {path} says\n")
    assert nobody_is_there(allowed)
    assert path.read_text() == f'{{\n  "allow_env": [\n    "LAB_KEY={HERE}"\n  ]\n}}\n'
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["keys.json"]

    for again in (ran("run", file, "hi"), ran("run", file, "hi", *ALLOW)):
        assert "allowed" not in again.output
        assert nobody_is_there(again)
    moved = Path(file)
    moved.write_text(PROGRAM.replace("example.invalid", "example.invalid:8443"), encoding="utf-8")
    assert f"add --allow-env LAB_KEY={HERE}:8443" in ran("run", file, "hi").output


def test_nothing_but_a_run_asks(file: str) -> None:
    for words in (("check", file), ("plan", file), ("plan", file, "--messages", "hi"), ("test", file), ("graph", file)):
        done = ran(*words)
        assert done.exit_code == 0, done.output
        assert "LAB_KEY would go" not in done.output


def test_making_roles_uses_keys_too(file: str) -> None:
    Path(file).write_text(MADE, encoding="utf-8")
    for command in (("lock", file), ("run", file, "hi")):
        done = ran(*command)
        assert (done.exit_code, f"add {' '.join(ALLOW)}\n" in done.output) == (3, True), done.output
        assert "making" not in done.output


@pytest.mark.parametrize("env", [{"CI": "true"}, {"TF_BUILD": "True"}, {"HOME": ""}, {"HOME": "relative"}])
def test_in_ci_and_without_a_home_only_the_option_counts(env: dict[str, str], file: str, tmp_path: Path) -> None:
    ran("run", file, "hi", *ALLOW)
    before = sorted(tmp_path.rglob("*"))
    assert "was never allowed" in ran("run", file, "hi", env=env).output
    for _ in range(2):
        done = ran("run", file, "hi", *ALLOW, env=env)
        assert "allowed" not in done.output
        assert nobody_is_there(done)
    assert sorted(tmp_path.rglob("*")) == before
    assert nobody_is_there(ran("run", file, "hi", env={"CI": "false"}))


def test_where_it_is_remembered() -> None:
    assert memory({"HOME": "/home/me"}) == Path("/home/me/.config/smoadsl/keys.json")
    assert memory({"HOME": "/home/me", "XDG_CONFIG_HOME": "/x"}) == Path("/x/smoadsl/keys.json")
    assert memory({"HOME": "/home/me", "XDG_CONFIG_HOME": "x"}) == Path("/home/me/.config/smoadsl/keys.json")
    assert memory({"XDG_CONFIG_HOME": "x"}) is memory({}) is memory({"HOME": "/home/me", "CI": "1"}) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"allow_env": ["x"]}', b'{"allow_env": [1]}', b'{"allow_env": {}}',
     b'{"allow_env": ["A=https://*"]}', b'{"allow_env": [], "more": 1}', b"\xff"],
)  # fmt: skip
def test_a_memory_that_is_damaged_allows_nothing(content: bytes, file: str, tmp_path: Path) -> None:
    path = tmp_path / "home/.config/smoadsl/keys.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    for words in ((), ALLOW):
        done = ran("run", file, "hi", *words)
        told = f'error: {path} is not as it was written, {{"allow_env": ["NAME=ORIGIN"]}}: mend it, or remove it\n'
        assert (done.exit_code, done.output) == (3, told)
    assert path.read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
def test_a_memory_that_others_could_have_written_is_not_believed(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    path = tmp_path / "smoadsl" / "keys.json"
    told: list[str] = []
    kept = allowed_keys([f"LAB_KEY={HERE}"], environ, told.append)
    assert allowed_keys([], environ, told.append) == kept
    path.chmod(0o620)
    with pytest.raises(Unreadable, match=r"could have been written by others: .*chmod 600"):
        allowed_keys([], environ, told.append)
    path.chmod(0o600)
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(Unreadable, match="can not be read"):
        allowed_keys([], environ, told.append)
    assert len(told) == 1


def test_what_can_not_be_remembered_counts_once(tmp_path: Path) -> None:
    (tmp_path / "smoadsl").write_text("a file where the folder belongs")
    told: list[str] = []
    path = tmp_path / "smoadsl" / "keys.json"

    def allowed(wanted: Sequence[str]) -> int:
        return len(allowed_keys(wanted, {"XDG_CONFIG_HOME": str(tmp_path)}, told.append))

    with pytest.raises(Unreadable, match=r"keys\.json can not be read: Not a directory"):
        allowed([])
    (tmp_path / "smoadsl").unlink()
    (tmp_path / "smoadsl").symlink_to(tmp_path / "nowhere" / "at all")
    assert allowed([f"LAB_KEY={HERE}"]) == 1
    assert told == [f"LAB_KEY={HERE}: allowed this once: {path}: File exists"]


def test_what_is_typed_wrong_is_wrong_usage(file: str) -> None:
    done = ran("run", file, "hi", "--allow-env", f"LAB_KEY={HERE}/v1")
    assert done.exit_code == 2
    assert f"--allow-env takes scheme, host and port alone: LAB_KEY={HERE}\n" in done.output
    assert CANARY not in ran("run", file, "hi", "--allow-env", "LAB_KEY").output
