"""Gates, to hold what a plan can take at worst against limits: in CI, before anything is paid for."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from smoadsl.classes import dataclass
from smoadsl.plan.diff import Figure
from smoadsl.plan.plan import Plan
from smoadsl.plan.prove import smallest
from smoadsl.show.difference import amount, some
from smoadsl.show.safe import one_line


@dataclass(frozen=True, slots=True)
class Gates:
    """The most that one prompt may take at worst; None where it may take anything."""

    usd: Decimal | None = None
    calls: int | None = None
    tokens: int | None = None


def exceeded(plan: Plan, gates: Gates, quoted: Callable[[str], str] = one_line) -> Iterator[str]:
    """A sentence for each limit that a run may exceed: by how much, and how to mend it. `quoted` writes what a file
    says."""
    bounds = plan.bounds
    assert bounds is not None
    least = smallest(plan.pipeline)
    if gates.calls is not None and bounds.calls.worst > gates.calls:
        yield _over("calls", bounds.calls.worst, gates.calls, least.calls, plan.pipeline.name)
    if gates.tokens is not None and bounds.tokens.worst > gates.tokens:
        yield _over("tokens", bounds.tokens.worst, gates.tokens, least.tokens, plan.pipeline.name)
    if gates.usd is None:
        return
    if bounds.usd is None:
        yield (
            f"cost not known, so that it can not be held to --max-usd {gates.usd}: there is no price for "
            f"{some(bounds.unpriced, quoted)}. `price = {{ input = $0.90, output = $0.90 }}` in a model's block, "
            "in dollars per million tokens, says it"
        )
    elif bounds.usd.worst > gates.usd:
        yield _over("usd", float(bounds.usd.worst), gates.usd, least.usd, plan.pipeline.name)


def _over(name: Figure, worst: float, most: Decimal | int, least: Decimal | int, pipeline: str) -> str:
    """`least` is what a budget must have room for, or no run is held by it."""
    what, form = ("cost", "${:f}") if name == "usd" else (name, "{:_}")
    limit = form.format(most)
    budget = f"`budget {{ {name} = {limit} }}` in pipeline {pipeline} holds every run to the limit"
    if least > most:
        needed = form.format(least)
        budget = f"no budget holds {pipeline} to the limit, as its first answers and the last alone may take {needed}"
    return (
        f"{what} {amount(name, worst)} at worst, {amount(name, worst - float(most))} more than --max-{name} "
        f"{limit.removeprefix('$')}. Fewer agents, rounds or tokens make the plan smaller; {budget}"
    )
