"""Prices, to know what well-known providers ask for a model and how much it can read: an extract of a price list.

The extract is made from the package genai-prices (MIT), of which only its makers need the whole:
`python -m smoadsl.calls.prices`. Of prices that change with the hour the dearest stands in it.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from smoadsl.adapters import IN_PROCESS
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls.price import FREE, Price, Tier
from smoadsl.calls.route import Provider
from smoadsl.classes import dataclass

_LISTED_AS = {  # a provider's name in the list, where it has another
    "gemini": "google",
    "moonshot": "moonshotai",
    "xai": "x-ai",
}
_FILE = "prices.json"


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list says of a model. `context` is the window in tokens, None where it is not known."""

    price: Price
    context: int | None


def listed(provider: Provider, model: str) -> Listed | None:
    """What is known of a provider's model: the list's word for a well-known endpoint, nothing to pay for a server on
    this machine; None for a model that the list does not have."""
    if provider.adapter in IN_PROCESS:
        return Listed(FREE, None)
    name = next((name for name, row in WELL_KNOWN.items() if row.base_url == provider.base_url), None)
    if name is None:
        return None
    return _found(name, model) if WELL_KNOWN[name].key else Listed(FREE, None)


@cache
def _found(provider: str, model: str) -> Listed | None:
    name = model.lower()
    for row in _rows().get(provider, ()):
        if any(_holds(test, name) for test in row["match"]):
            tiers = tuple(Tier(at, *_amounts(amounts)) for at, *amounts in row.get("tiers", ()))
            return Listed(Price(*_amounts(row["price"]), tiers=tiers), row.get("context"))
    return None


@cache
def _rows() -> Mapping[str, list[dict[str, Any]]]:
    read: dict[str, Any] = json.loads(files("smoadsl.calls").joinpath(_FILE).read_bytes())
    providers: Mapping[str, list[dict[str, Any]]] = read["providers"]
    return providers


def _amounts(written: list[str | None]) -> tuple[Decimal, Decimal, Decimal | None]:
    """Input, output and cached input."""
    dear, output, cached = written
    assert dear is not None
    assert output is not None
    return Decimal(dear), Decimal(output), None if cached is None else Decimal(cached)


def _holds(test: Mapping[str, Any], name: str) -> bool:
    ((how, what),) = test.items()
    return _TESTS[how](name, what)


_TESTS: Mapping[str, Callable[[str, Any], bool]] = {
    "equals": lambda name, what: name == what,
    "starts_with": lambda name, what: name.startswith(what),
    "ends_with": lambda name, what: name.endswith(what),
    "contains": lambda name, what: what in name,
    "regex": lambda name, what: re.search(what, name) is not None,
    "all": lambda name, what: all(_holds(part, name) for part in what),
}


# ---- the extract, made anew


def extract() -> dict[str, Any]:
    """The extract of the installed price list."""
    from datetime import UTC, datetime
    from importlib.metadata import version

    from genai_prices.data import providers

    by_id = {provider.id: provider for provider in providers}
    today = datetime.now(UTC)
    found = {}
    for name in sorted(WELL_KNOWN):
        listed_as = by_id.get(_LISTED_AS.get(name, name))
        rows = [row for model in listed_as.models if (row := _row(model, today))] if listed_as else []
        if rows:
            found[name] = rows
    made_of = {"package": "genai-prices", "version": version("genai-prices"), "license": "MIT"}
    return {"made_of": made_of, "date": today.date().isoformat(), "per": "1,000,000 tokens", "providers": found}


def _row(model: Any, today: Any) -> dict[str, Any] | None:
    prices = _dearest_today(model, today)
    if prices.input_mtok is None or prices.output_mtok is None:
        return None  # an embedding, a voice: nothing that a pipeline can ask
    asked = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok)
    starts = sorted({tier.start for price in asked for tier in getattr(price, "tiers", ())})
    row: dict[str, Any] = {"match": _tests(model.match), "price": [_at(price, 0) for price in asked]}
    if starts:
        row["tiers"] = [[start, *(_at(price, start) for price in asked)] for start in starts]
    if model.context_window:
        row["context"] = model.context_window
    return row


def _dearest_today(model: Any, today: Any) -> Any:
    """The price in force; where it changes with the hour, the dearest of the day."""
    if not isinstance(model.prices, list):
        return model.prices
    in_force = model.prices[0].prices
    by_the_hour = []
    for conditional in model.prices:
        if hasattr(conditional.constraint, "start_time"):
            by_the_hour.append(conditional.prices)
        elif conditional.constraint is None or conditional.constraint.active(today):
            in_force, by_the_hour = conditional.prices, []
    return max([in_force, *by_the_hour], key=lambda price: Decimal(_at(price.output_mtok, 0) or 0))


def _at(price: Any, tokens: int) -> str | None:
    """A price for requests that read so many tokens."""
    if price is None or isinstance(price, Decimal):
        return None if price is None else str(price)
    reached = [tier.price for tier in price.tiers if tier.start <= tokens]
    return str(reached[-1] if reached else price.base)


def _tests(clause: Any) -> list[dict[str, Any]]:
    """Tests of a model's name, any of which may hold."""
    if hasattr(clause, "or_"):
        return [test for part in clause.or_ for test in _tests(part)]
    if hasattr(clause, "and_"):
        return [{"all": [_only(_tests(part)) for part in clause.and_]}]
    ((how, what),) = vars(clause).items()
    return [{how: what if how == "regex" else what.lower()}]


def _only(tests: list[dict[str, Any]]) -> dict[str, Any]:
    (test,) = tests  # no list so far has alternatives inside of what must hold together
    return test


if __name__ == "__main__":
    rows = json.dumps(extract(), separators=(",", ":"), ensure_ascii=False).replace('{"match"', '\n{"match"')
    (Path(__file__).parent / _FILE).write_text(rows + "\n", encoding="utf-8")
