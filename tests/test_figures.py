"""Test figures, to hold the bounds of plans that a person can count, and of those that once took more than was said."""

from random import Random

import pytest

from smoadsl.adapters.base import Fault, Reply, Request
from smoadsl.runtime.events import CallStarted
from tests.luck import FAULTS, Luck, output_tokens, planned, totals
from tests.scripts import run

MODELS = """
model a = "groq/a" { max_tokens = 5, retries = 0 }
model j = "groq/j" { max_tokens = 40, retries = 0 }
"""
FOUND = {  # small plans that once took more than they were said to
    "a fused judge of few words is spared, and its moderator asked alone": """
  layer one repeat 2 {
    propose a * 3
    quorum 2
    judge j keep 2 { max_tokens = 3 }
    stop when moderator(j)
  }
  aggregate a""",
    "a fused verdict that can not be read": """
  layer one repeat 2 {
    propose a * 3
    judge j keep 1
    stop when moderator(j)
  }
  aggregate a""",
    "a moderator in `when`": """
  layer one { propose a * 2 }
  layer two when not moderator(j) { propose a }
  aggregate a""",
    "one of `when` that a stop rule asked before, of a layer that was skipped": """
  layer one {
    propose a * 2
    stop pipeline when moderator(j)
  }
  layer two when agreement > 0.9 {
    propose a
    stop pipeline when moderator(j)
  }
  layer three when not moderator(j) { propose a }
  aggregate a""",
    "a term that a judge's own call makes false": """
  layer one repeat 2 {
    propose a * 2
    judge j keep 1
    stop when spent.calls < 3 or moderator(j)
  }
  aggregate a""",
}


@pytest.mark.parametrize("body", FOUND.values(), ids=FOUND.keys())
@pytest.mark.parametrize("unreadable", [0.0, 1.0])
@pytest.mark.parametrize("late", ["", "a.1"])
def test_what_was_found(body: str, unreadable: float, late: str) -> None:
    plan = planned(f"{MODELS}pipeline p {{{body}\n}}\n")
    luck = Luck(Random(1), unreadable=unreadable, alike=0)

    async def script(call: CallStarted, request: Request) -> Reply | Fault:
        return FAULTS[1] if call.agent == late else await luck(call, request)

    made, bounds = run(plan, script), plan.bounds
    assert bounds is not None
    assert totals(made).calls <= bounds.calls.worst
    assert output_tokens(made) <= bounds.output_tokens.worst
    assert totals(made).seconds <= bounds.critical_path.worst + 1e-6
    if not unreadable and not late:
        assert made.answer is not None
        assert totals(made).calls <= bounds.calls.full
        assert totals(made).seconds <= bounds.critical_path.full + 1e-6


FIGURES = {  # calls, and the longest chain of them: least, full, worst
    "a single model": ("aggregate a", (1, 1, 1), (1, 1, 1)),
    "smoa": (
        "layer one repeat 2 {\n propose a * 4\n judge j keep 2\n stop when moderator(j)\n}\naggregate a",
        (5, 11, 13),
        (2, 5, 7),
    ),
    "smoa with two models": (
        "layer one repeat 2 {\n propose a * 4\n judge j keep 2\n stop when moderator(a)\n}\naggregate a",
        (5, 12, 15),
        (2, 6, 9),
    ),
    "layers that may never run": (
        "layer one {\n propose a * 3\n stop pipeline when agreement > 0.5\n}\n"
        "layer two repeat 3 { propose a * 2 }\naggregate vote()",
        (3, 9, 9),
        (1, 4, 4),
    ),
    "a cascade": (
        "layer one { propose a * 3 }\nlayer two when agreement < 0.9 { propose a * 2 }\naggregate a",
        (4, 6, 6),
        (2, 3, 3),
    ),
    "a rule that can not hold before the third round": (
        "layer one repeat 5 {\n propose a\n stop when round >= 3\n}\naggregate a",
        (4, 6, 6),
        (4, 6, 6),
    ),
    "scores that are read": (
        "layer one repeat 2 {\n propose a * 3\n judge score(j)\n stop when score.best > 4\n}\naggregate a",
        (5, 8, 9),
        (3, 4, 5),
    ),
    "a gate, and pairs": (
        "layer one {\n propose a * 5\n activate 3 by router(j)\n judge pairwise(j) keep 1\n}\naggregate best()",
        (4, 10, 17),
        (2, 3, 5),
    ),
}


@pytest.mark.parametrize(("body", "calls", "path"), FIGURES.values(), ids=FIGURES.keys())
def test_figures(body: str, calls: tuple[int, int, int], path: tuple[int, int, int]) -> None:
    bounds = planned(f"{MODELS}pipeline p {{\n{body}\n}}\n").bounds
    assert bounds is not None
    assert (bounds.calls.least, bounds.calls.full, bounds.calls.worst) == calls
    assert (bounds.critical_path.least, bounds.critical_path.full, bounds.critical_path.worst) == path
