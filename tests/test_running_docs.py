"""Test running docs, to run the commands of the document on running, in their order, against a server."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from smoadsl.tools.cli import main
from tests.adapters.attempts import LAST, completion, piece
from tests.adapters.wall import Act, Attempt, answer, events, head
from tests.adapters.walled import walled
from tests.test_docs import ROOT, blocks

BLOCKS = blocks(ROOT / "docs" / "running.md")


def lab(attempt: Attempt) -> Iterable[Act]:
    """A server with two models, both of which know one thing."""
    if attempt.method == "GET":
        return [answer({"data": [{"id": "small"}, {"id": "large"}]})]
    if not attempt.json.get("stream"):
        return [answer(completion("Air scatters blue light."))]
    body = events(piece("Air scatters"), piece(" blue light."), LAST, "[DONE]")
    return [head(200, {"Content-Type": "text/event-stream", "Content-Length": f"{len(body)}"}) + body]


def test_the_commands_do_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_KEY", "a-key")
    (file,) = (block for block in BLOCKS if block.marks.get("file") == "panel.moa")
    commands = [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
    written = {}
    with walled(lab) as wall:
        Path("panel.moa").write_text(file.text.replace("http://127.0.0.1:8139", wall.url), encoding="utf-8")
        for command in commands:
            done = CliRunner().invoke(main, shlex.split(command)[1:])
            assert done.exit_code == 0, f"{command}\n{done.output}"
            written[command] = done.stdout
        asked = len(wall.attempts)
    assert asked == 1 + 4 * 4, "one list, four runs of four calls, and no more for what is run again"
    (shown,) = (orjson.loads(block.text) for block in BLOCKS if block.marks.get("shown") == "json")
    told = orjson.loads(next(text for command, text in written.items() if command.endswith(" --json")))
    assert told["totals"].pop("seconds") < 5
    assert told["totals"].pop("usd") == pytest.approx(shown["totals"].pop("usd"))
    del shown["totals"]["seconds"]
    assert told == shown
    runs = [
        text
        for command, text in written.items()
        if command.startswith(("smoadsl run", "smoadsl replay")) and not command.endswith(" --json")
    ]
    assert runs == ["Air scatters blue light.\n"] * 5
    (shown,) = (block.text for block in BLOCKS if block.marks.get("shown") == "doctor")
    assert re.sub(r"\d+\.\d\d s", "0.01 s", written["smoadsl doctor panel.moa"]) == shown
