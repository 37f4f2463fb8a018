"""Test price, to turn tokens into dollars: what was cached costs what it is said to cost."""

from dataclasses import replace
from decimal import Decimal

import pytest

from smoadsl.adapters.base import Reply, Usage
from smoadsl.calls.price import Price
from tests.scripts import planned, run

USAGE = Usage(1_000_000, 500_000, cached_tokens=400_000)


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        (Price(Decimal(2), Decimal(10)), "7"),
        (Price(Decimal(2), Decimal(10), Decimal("0.5")), "6.4"),
        (Price(Decimal(2), Decimal(10), Decimal(0)), "6.2"),
    ],
)
def test_a_price_of_tokens(price: Price, usd: str) -> None:
    assert price.of(USAGE) == Decimal(usd)


def test_what_is_kept_costs_a_quarter_more() -> None:
    price = Price(Decimal(2), Decimal(10), Decimal("0.5"))
    assert price.of(replace(USAGE, written_tokens=200_000)) == Decimal("6.5")


def test_a_run_is_billed_for_what_was_cached_as_its_price_says() -> None:
    price = "price = { input = $2, output = $10, cached = $0.50 }"
    plan = planned(f'model m = "groq/x" {{ {price} }}\npipeline p {{ aggregate m }}')
    made = run(plan, lambda call, request: Reply("51", "stop", USAGE, "x"))
    assert made.answer is not None
    assert made.answer.totals.usd == pytest.approx(6.4)
