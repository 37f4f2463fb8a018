"""Test plan docs, to hold the document of the plan to what the command writes: each field, and the comment it shows."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from smoadsl.plan.diff import Difference
from smoadsl.plan.plan import Plan
from smoadsl.runtime.preview import Preview
from smoadsl.tools.cli import main
from tests.test_docs import ROOT, blocks

DOCUMENT = ROOT / "docs" / "plan.md"


def models() -> dict[str, dict[str, Any]]:
    """The schema of each model in the documents that the command writes."""
    found: dict[str, dict[str, Any]] = {}
    for document in (Plan, Difference, Preview):
        schema = TypeAdapter(document).json_schema(mode="serialization")
        found |= {document.__name__: schema, **schema.get("$defs", {})}
    return found


def described() -> dict[str, dict[str, str]]:
    """What the document says of the fields of each model."""
    parts = re.split(r"^### `(\w+)`\n", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = zip(parts[1::2], parts[2::2], strict=True)
    return {name: dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE)) for name, text in tables}


def test_each_model_is_described_and_no_other() -> None:
    assert sorted(described()) == sorted(models())


@pytest.mark.parametrize("name", models())
def test_each_field_is_described_in_its_order_and_no_other(name: str) -> None:
    assert list(described()[name]) == list(models()[name]["properties"])


@pytest.mark.parametrize("name", models())
def test_the_words_that_a_field_may_have_are_all_there(name: str) -> None:
    for field, schema in models()[name]["properties"].items():
        for words in [schema.get("enum", []), *(one.get("enum", []) for one in schema.get("anyOf", []))]:
            if len(words) < 7 and field != "otherwise":
                assert {f"`{word}`" for word in words} <= set(re.findall("`[^`]+`", described()[name][field])), field


def test_the_comment_that_is_shown_is_what_comes_of_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepting: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(DOCUMENT):
        if name := block.marks.get("file"):
            Path(name).write_text(block.text, encoding="utf-8")
    words = ["plan", "after.moa", "--against", "before.moa", "--format", "markdown"]
    head = CliRunner().invoke(main, words).stdout.partition("<details>")[0].strip() + "\n"
    (shown,) = (block for block in blocks(DOCUMENT) if block.language == "markdown")
    if accepting and shown.text != head:
        whole = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(whole.replace(f"```markdown\n{shown.text}```", f"```markdown\n{head}```"), encoding="utf-8")
        return
    assert shown.text == head
