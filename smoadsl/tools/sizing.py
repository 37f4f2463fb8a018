"""Sizing, to read what a plan is made for and held to: the prompt's size, how long calls take, limits."""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click

from smoadsl.diagnostics.source import Source
from smoadsl.diagnostics.suggest import did_you_mean
from smoadsl.language import nodes
from smoadsl.language.parse import parse_value
from smoadsl.plan.compile import Options
from smoadsl.plan.optimize import PASSES
from smoadsl.plan.plan import Plan, calls_of

F = TypeVar("F", bound=Callable[..., Any])

EVERY_MODEL = "*"


def sized(prompt_tokens: int, latencies: Sequence[str], without: Sequence[str]) -> Options:
    """The options of a plan. Raises `click.UsageError` for a duration or a pass that is none."""
    return Options(prompt_tokens, _latencies(latencies) or None, passes(without))


def without_option(command: F) -> F:
    """`--without`: what the compiler is not to do on its own."""
    return click.option("--without", multiple=True, metavar="PASS",
                        help="Leave out a decision of the compiler, by its name.")(command)  # fmt: skip


def passes(names: Sequence[str]) -> frozenset[str]:
    """Passes that are left out. Raises `click.UsageError` for a name that is none."""
    for name in names:
        if name not in PASSES:
            raise click.UsageError(f"--without {name}: there is no such pass; {did_you_mean(name, PASSES)}")
    return frozenset(names)


def _latencies(values: Sequence[str]) -> dict[str, float]:
    """`3s` for every model, `NAME=3s` for one."""
    read = {}
    for value in values:
        name, equals, duration = value.rpartition("=")
        found = parse_value(Source(f"--latency {name}", duration)).value
        if not isinstance(found, nodes.Duration) or found.seconds <= 0 or (equals and not name.strip()):
            raise click.UsageError(f"--latency takes 3s or NAME=3s (250ms, 20s, 2m, 1h), not {value!r}")
        read[name.strip() or EVERY_MODEL] = found.seconds
    return read


def check_names(plan: Plan, options: Options) -> None:
    """Raises `click.UsageError` where a latency is of no model that the plan asks."""
    asked = {call.model for call in calls_of(plan.pipeline)}
    for name in options.latency_s or {}:
        if name not in asked and name != EVERY_MODEL:
            raise click.UsageError(
                f"--latency {name}: the plan asks no model of that name; {did_you_mean(name, asked)}"
            )


class Dollars(click.ParamType[Decimal]):
    """An amount of money, with or without its sign."""

    name = "dollars"

    def convert(self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            usd = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            usd = Decimal("NaN")
        if not usd.is_finite() or usd < 0:
            self.fail(f"{value!r} is no amount of money such as 0.25", param, ctx)
        return usd
