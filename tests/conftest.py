"""Conftest, to give every test its options, expectations rewritten by `--accept` and more examples by `--profile long`,
to fail those that show a key, and to spare each what others left behind."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ("tests.canary",)  # a key that shows anywhere fails the test

settings.register_profile("normal", max_examples=100, derandomize=True, deadline=None, database=None)
settings.register_profile(
    "long", max_examples=10_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite the corpus with what is said now")
    parser.addoption(
        "--profile",
        choices=("normal", "long"),
        default=os.environ.get("HYPOTHESIS_PROFILE", "normal"),
        help="how long properties are searched for counterexamples",
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(str(config.getoption("--profile")))


@pytest.fixture
def accepting(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--accept"))


@pytest.fixture(scope="module", autouse=True)
def heap_left_alone() -> None:
    """What other modules left behind is not looked through for garbage: that stops an event loop, by its amount."""
    gc.collect()
    gc.freeze()
