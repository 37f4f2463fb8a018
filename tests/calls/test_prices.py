"""Test prices, to hold the extract to the list it was made from, and a price to its provider's endpoint."""

from decimal import Decimal
from importlib.metadata import version

import pytest

from smoadsl.adapters.base import Usage
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls import prices
from smoadsl.calls.price import FREE, Price, Tier
from smoadsl.calls.prices import listed
from smoadsl.calls.route import Provider


def provider(name: str, base_url: str | None = None) -> Provider:
    row = WELL_KNOWN[name]
    return Provider(name, row.adapter, row.base_url if base_url is None else base_url)


def test_the_extract_is_what_the_installed_list_says() -> None:
    from genai_prices.data import providers

    made = prices._rows()
    assert version("genai-prices") == "0.2.3", "make the extract anew: python -m smoadsl.calls.prices"
    asked = 0
    for name in made:
        listing = next(p for p in providers if p.id == prices._LISTED_AS.get(name, name))
        for model in listing.models:
            found = listing.find_model(model.id)
            ours = listed(provider(name), model.id)
            if found is None or ours is None:
                continue
            asked += 1
            one = found.prices[0].prices if isinstance(found.prices, list) else found.prices
            if not isinstance(found.prices, list) and isinstance(one.input_mtok, Decimal):
                assert (ours.price.input, ours.price.output) == (one.input_mtok, one.output_mtok), (name, model.id)
            assert ours.context == found.context_window, (name, model.id)
    assert asked > 1000


@pytest.mark.parametrize("name", ["groq", "openai", "anthropic", "gemini", "together", "mistral", "deepseek"])
def test_the_large_providers_are_in_it(name: str) -> None:
    assert len(prices._rows()[name]) >= 5


def test_a_price_belongs_to_the_endpoint_and_not_to_the_name() -> None:
    assert listed(provider("openai"), "gpt-4o")
    assert listed(Provider("lab", "openai", WELL_KNOWN["openai"].base_url), "gpt-4o")
    assert listed(provider("openai", "https://gateway.example/v1"), "gpt-4o") is None
    assert listed(provider("openai"), "no-such-model") is None


def test_this_machine_asks_for_nothing() -> None:
    for name in ("local", "ollama", "llamacpp"):
        found = listed(provider(name), "anything")
        assert found is not None
        assert found.price == FREE


def test_a_tier_holds_for_all_tokens_of_a_request_above_it() -> None:
    price = Price(Decimal(1), Decimal(2), tiers=(Tier(100, Decimal(10), Decimal(20)),))
    assert price.of(Usage(100, 1_000_000)) == Decimal(2) + Decimal("0.0001")
    assert price.of(Usage(101, 1_000_000)) == Decimal(20) + Decimal("0.00101")
