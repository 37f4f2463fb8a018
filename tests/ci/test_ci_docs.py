"""Test ci docs, to hold `docs/ci.md` and the hooks to their schemas, and run each command that stands in them."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.ci.runner import commands
from tests.ci.test_documents import is_valid

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
HOOKS = ROOT / ".pre-commit-hooks.yaml"
SCHEMAS = {"workflow": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}
GOOD = 'model m = "groq/x"\n\npipeline p {\n  aggregate m\n}\n'
TESTED = GOOD + '\ntest "t" for p {\n  prompt "hi"\n  reply  *  "x"\n  expect calls == %d\n}\n'


@dataclass(frozen=True)
class Example:
    kind: str
    name: str
    text: str = field(repr=False)

    @property
    def data(self) -> Any:
        return YAML(typ="safe").load(self.text)


EXAMPLES = [
    Example(*found.groups())
    for found in re.finditer(r"<!-- (workflow|gitlab|config): (\S+) -->\n```yaml\n(.*?)```", TEXT, re.DOTALL)
]
WORKFLOWS = [one for one in EXAMPLES if one.kind == "workflow"]


def steps() -> list[Any]:
    """Each shell command of the examples, but for the one that installs."""
    found = [
        (f"{example.name}: {step.get('name')}", step["run"])
        for example in WORKFLOWS
        for job in example.data["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    (gitlab,) = (one.data for one in EXAMPLES if one.kind == "gitlab")
    found += [(name, line) for name, job in gitlab.items() for line in job.get("script", ())]
    return [pytest.param(run, id=name) for name, run in found if not run.startswith("pip install ")]


def program(*words: str) -> list[str]:
    """A program that is installed beside this Python."""
    return [sys.executable, "-m", *words]


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.kind in SCHEMAS], ids=lambda one: one.name)
def test_an_example_fits_its_schema(example: Example, tmp_path: Path) -> None:
    file = tmp_path / Path(example.name).name
    file.write_text(example.text, encoding="utf-8")
    check = program("check_jsonschema", "--builtin-schema", SCHEMAS[example.kind], str(file))
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    file.write_text(example.text.replace("timeout", "timeouts"), encoding="utf-8")
    assert (example.kind == "workflow") <= (subprocess.run(check, capture_output=True, check=False).returncode == 1)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda one: one.name)
def test_a_workflow_takes_no_more_than_it_needs(workflow: Example) -> None:
    data = workflow.data
    assert data["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow.text
    assert "secrets" not in workflow.text
    for job in data["jobs"].values():
        assert job["timeout-minutes"] <= 10
        assert set(job.get("permissions", {}).items()) <= {("contents", "read"), ("security-events", "write")}
        assert "security-events" not in job.get("permissions", {}) or "pull_request" not in data["on"]
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"[\w-]+(/[\w-]+)+@[0-9a-f]{40}", one) for one in used)
        checkout = [number for number, step in enumerate(job["steps"]) if "actions/checkout@" in step.get("uses", "")]
        install = [number for number, step in enumerate(job["steps"]) if "pip install" in step.get("run", "")]
        assert install < checkout
        assert not job["steps"][checkout[0]]["with"]["persist-credentials"]
    assert not re.search(r"run:.*\$\{\{", workflow.text), "what a stranger names is no part of a script"


def test_actions_are_named_with_their_version() -> None:
    used = re.findall(r"uses: ([\w/-]+)@(\w+)(  # v\d+\.\d+\.\d+)?$", TEXT, re.MULTILINE)
    assert len(used) >= 5
    assert all(version for _, _, version in used)
    assert len({(action, sha) for action, sha, _ in used}) == len({action for action, _, _ in used})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with files of the worst names, and `smoadsl` on the path."""
    folder = tmp_path / "checkout"
    (folder / "a b").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("a b/good.moa", "--set.moa", "::error::mine.moa", "new\nline.moa"):
        (folder / name).write_text(GOOD, encoding="utf-8")
    (folder / "tested.moa").write_text(TESTED % 1, encoding="utf-8")
    (folder / "click.py").write_text("raise SystemExit('imported from the checkout')\n", encoding="utf-8")
    command = tmp_path / "bin" / "smoadsl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m smoadsl "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return folder


def run(script: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    """As GitHub runs a step; GitLab asks for less."""
    path = f"{checkout.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=checkout, env={"PATH": path, "LANG": "C.UTF-8"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def document_of(script: str, checkout: Path, stdout: str) -> str:
    into = re.search(r"> (\S+)$", script)
    return (checkout / into[1]).read_text(encoding="utf-8") if into else stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="the examples are for bash")
@pytest.mark.parametrize("script", steps())
def test_a_step_passes_and_fails_as_it_should(script: str, checkout: Path) -> None:
    format_ = (re.findall(r"--format (\w+)", script) or ["text"])[0]
    good = run(script, checkout)
    assert good.returncode == 0, good.stderr
    assert is_valid(format_, document_of(script, checkout, good.stdout))
    assert not commands(good.stdout + good.stderr)

    (checkout / "bad.moa").write_text((TESTED % 2).replace("  aggregate", "aggregate"), encoding="utf-8")
    if " check " in script:
        (checkout / "bad.moa").write_text(GOOD.replace("aggregate m", "aggregate n"), encoding="utf-8")
    bad = run(script, checkout)
    assert bad.returncode != 0
    assert is_valid(format_, document_of(script, checkout, bad.stdout))
    assert "bad.moa" in document_of(script, checkout, bad.stdout)
    assert all(one.properties["file"] == "bad.moa" for one in commands(bad.stdout + bad.stderr))
    assert bool(commands(bad.stdout)) == (format_ == "github")


@pytest.mark.skipif(shutil.which("bash") is None, reason="the examples are for bash")
@pytest.mark.parametrize("script", steps())
def test_a_repository_without_pipelines_is_in_order(script: str, checkout: Path) -> None:
    for file in checkout.rglob("*.moa"):
        file.unlink()
    assert run(script, checkout).returncode == 0


def test_the_document_that_is_shown_is_the_one_that_is_written(checkout: Path) -> None:
    example = re.search(r"```moa\n(.*?)```\n\n<!-- said -->\n```json\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    (checkout / "team.moa").write_text(example[1], encoding="utf-8")
    assert run("smoadsl check --format json team.moa || true", checkout).stdout == example[2]
    assert json.loads(example[2])["version"] == 1


# ---- pre-commit


def test_the_hooks_are_what_pre_commit_takes(tmp_path: Path) -> None:
    done = subprocess.run(program("pre_commit", "validate-manifest", str(HOOKS)), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    (config,) = (one for one in EXAMPLES if one.kind == "config")
    (tmp_path / "config.yaml").write_text(config.text, encoding="utf-8")
    validate = program("pre_commit", "validate-config", str(tmp_path / "config.yaml"))
    assert subprocess.run(validate, capture_output=True, check=False).returncode == 0
    known = {hook["id"] for hook in YAML(typ="safe").load(HOOKS)}
    assert {hook["id"] for repo in config.data["repos"] for hook in repo["hooks"]} == known


@pytest.mark.skipif(shutil.which("git") is None, reason="pre-commit works on a git repository")
def test_the_hooks_run(checkout: Path, tmp_path: Path) -> None:
    """As pre-commit runs them, but for the installation, which would need a package index."""
    hooks = YAML(typ="safe").load(HOOKS)
    local = [{**hook, "language": "system"} for hook in hooks]
    config = checkout / ".pre-commit-config.yaml"
    config.write_text(json.dumps({"repos": [{"repo": "local", "hooks": local}]}), encoding="utf-8")
    (checkout / ".git").rmdir()
    home = f"HOME={tmp_path} PRE_COMMIT_HOME={tmp_path}/cache GIT_CONFIG_NOSYSTEM=1"
    pre_commit = f"{home} {sys.executable} -P -m pre_commit run --all-files --verbose --color never"
    assert run("git init -q . && git add -A", checkout).returncode == 0

    good = run(pre_commit, checkout)
    assert good.returncode == 0, good.stdout
    assert good.stdout.count("Passed") == len(hooks)
    (checkout / "bad.moa").write_text('model m="groq/x"\npipeline p { aggregate n }\n', encoding="utf-8")
    bad = run(f"git add -A && {pre_commit}", checkout)
    assert bad.returncode == 1
    assert bad.stdout.count("Failed") == len(hooks)
    assert "files were modified by this hook" in bad.stdout
    assert "error[MOA101]: no model is called `n`" in bad.stdout
