"""Test difference, to hold the one line that a reviewer reads to the figures that it speaks of."""

import re

import pytest

from smoadsl.plan.diff import Figure
from smoadsl.show.difference import amount, difference_text, verdict
from tests.scripts import pipeline
from tests.test_diff import CASES, Case, Priced, costs, difference


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (Priced(0.21), Priced(0.29), "cost up 38 %: $0.21 → $0.29 at worst"),
        (Priced(0.29), Priced(0.21), "cost down 28 %: $0.29 → $0.21 at worst"),
        (Priced(0), Priced(0.5), "cost up: $0 → $0.50 at worst"),
        (Priced(0.5), Priced(0), "cost down 100 %: $0.50 → $0 at worst"),
        (Priced(0.5), Priced(0.500004), "cost up 0.0008 %: $0.500000 → $0.500004 at worst"),
        (Priced(0.0021), Priced(0.0042), "cost up 100 %: $0.0021 → $0.0042 at worst"),
        (Priced(1234.5), Priced(12345), "cost up 900 %: $1,234.50 → $12,345.00 at worst"),
        (Priced(0.3), Priced(None, ("lab/m",)), "cost not known (no price for lab/m); tokens"),
        (Priced(None, ("lab/m",)), Priced(0.3), "cost not known before (no price for lab/m); tokens"),
        (Priced(0.2), Priced(None, tuple("abcdefg")), "cost not known (no price for a, b, c, d, e and 2 more); tokens"),
        (Priced(0), Priced(0), "nothing changed; tokens as before"),
        (Priced(0.2), Priced(0.2), "nothing changed; cost as before: $0.20 at worst"),
        (Priced(0.2), Priced(None, ("\x1b[2J",)), "cost not known (no price for \\u001b[2J); tokens"),
    ],
)  # fmt: skip
def test_the_verdict(before: Priced, after: Priced, said: str) -> None:
    assert verdict(costs(before, after)).startswith(said)


def test_calls_stand_in_the_verdict() -> None:
    found = difference(pipeline("layer one { propose a, b }"), pipeline("layer one { propose a, b, c }"))
    calls = found.figure("calls")
    assert calls.before is not None
    assert calls.after is not None
    assert verdict(found).endswith(f"; calls {calls.before.worst} → {calls.after.worst}")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("calls", 1234, "1,234"),
        ("seconds", 12.345, "12.3 s"),
        ("usd", 0, "$0"),
        ("usd", 0.21, "$0.21"),
        ("usd", 0.1, "$0.10"),
        ("usd", 0.000123, "$0.00012"),
        ("usd", 2, "$2.00"),
    ],
)
def test_amounts(name: Figure, value: float, shown: str) -> None:
    assert amount(name, value) == shown


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_all_that_changed_is_shown_in_a_hundred_columns(case: Case) -> None:
    found = case.difference()
    shown = difference_text(found)
    assert max(map(len, shown.split("\n"))) <= 100
    assert all(change.what in shown for change in found.changes)
    assert all(f"{text.what}: " in shown for text in found.texts)
    assert ("nothing changed" in shown) == found.is_none


def test_colour_is_for_terminals_and_comes_from_no_file() -> None:
    case = CASES["a template"]
    assert "\x1b" not in difference_text(case.difference())
    assert "\x1b[31m  -Think.\x1b[0m" in difference_text(case.difference(), colour=True)
    text = case.difference().texts[0].model_copy(update={"what": "[red]\x1b[2J", "lines": ("+\x1b[2J[bold]x",)})
    shown = difference_text(case.difference().model_copy(update={"texts": (text,)}))
    assert "[red]\\u001b[2J: " in shown
    assert "  +\\u001b[2J[bold]x\n" in shown


def test_where_a_budget_holds_the_worst_the_rise_in_full_is_the_verdict() -> None:
    budget = "budget { tokens = 20_000 }\n"
    said = verdict(
        difference(pipeline(budget + "layer one { propose a, b }"), pipeline(budget + "layer one { propose a, b, c }"))
    )
    assert re.search(r"tokens up \d+ %: [\d,]+ → [\d,]+ in full; 20,000 at worst as before; calls 3 → 4", said), said
