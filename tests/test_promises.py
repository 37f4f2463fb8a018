"""Test promises, to keep the README's list whole: each promise has its number, and names tests that are there."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from smoadsl.adapters.base import Adapter
from smoadsl.adapters.cassette import Opener, recording, replaying
from smoadsl.adapters.scripted import Scripted
from smoadsl.plan.plan import Plan
from smoadsl.tools import api
from smoadsl.tools.virtual_clock import run_virtually
from tests.canary import CANARY
from tests.show.runs import CASES, planned, replies_anew

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISES = README.partition("## What is promised")[2].partition("\n## ")[0]


def test_each_promise_has_its_number() -> None:
    assert re.findall(r"^- \*\*P(\d+)\*\*", PROMISES, re.MULTILINE) == [str(number) for number in range(1, 11)]


def test_each_promise_has_a_test_that_is_there() -> None:
    items = re.split(r"^- ", PROMISES, flags=re.MULTILINE)[1:]
    for item in items:
        links = re.findall(r"\]\((tests/[^)]*)\)", item)
        assert links or "Not yet" in item or "Not promised" in item, item
        for link in links:
            text = (ROOT / link).read_text(encoding="utf-8")
            assert "def test_" in text


def bytes_of(plan: Plan, opener: Opener, seed: int) -> Sequence[str]:
    """A run on a virtual clock, as its trace."""
    told: list[str] = []
    run = api.run(
        plan,
        "What is 17 * 3?",
        seed=seed,
        on_event=lambda event: told.append(event.model_dump_json()),
        environ={"TOGETHER_API_KEY": CANARY},
        opener=opener,
    )
    run_virtually(run)
    return told


@pytest.mark.parametrize("name", ["moa", "two rounds", "repaired judge", "retried proposer", "unreadable judge"])
@pytest.mark.parametrize("seed", [0, 7])
def test_p6_the_same_seed_and_the_same_cassette_make_the_same_bytes(name: str, seed: int, tmp_path: Path) -> None:
    pipeline, replies = CASES[name]
    adapter: Adapter = Scripted(replies_anew(replies))
    plan = planned(pipeline)
    bytes_of(plan, recording(tmp_path, lambda _kind, _connection: adapter), seed)
    first, second = (bytes_of(plan, replaying(tmp_path), seed) for _ in range(2))
    assert first == second
    assert '"type":"run_finished"' in first[-1]
