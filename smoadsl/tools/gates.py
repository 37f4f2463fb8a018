"""Gates, to hold what a plan can take at worst against limits: in CI, before anything is paid for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from smoadsl.plan.plan import Plan
from smoadsl.show.difference import amount
from smoadsl.show.safe import one_line


@dataclass(frozen=True, slots=True)
class Gates:
    """The most that one prompt may take at worst; None where it may take anything."""

    usd: Decimal | None = None
    calls: int | None = None
    tokens: int | None = None


def passed(plan: Plan, gates: Gates, quoted: Callable[[str], str] = one_line) -> Iterator[str]:
    """A sentence for each limit that the plan may pass: by how much, and how to mend it. `quoted` writes what a file
    says."""
    bounds = plan.bounds
    assert bounds is not None
    if gates.calls is not None and bounds.calls.worst > gates.calls:
        yield _over("calls", bounds.calls.worst, gates.calls, plan.pipeline.name)
    if gates.tokens is not None and bounds.tokens.worst > gates.tokens:
        yield _over("tokens", bounds.tokens.worst, gates.tokens, plan.pipeline.name)
    if gates.usd is None:
        return
    if bounds.usd is None:
        names = ", ".join(quoted(name) for name in bounds.unpriced)
        yield (
            f"cost not known, so it can not be held to --max-usd {gates.usd}: there is no price for {names}; "
            "give each model `price = { input = $0.90, output = $0.90 }`, in dollars per million tokens"
        )
    elif bounds.usd.worst > gates.usd:
        yield _over("usd", float(bounds.usd.worst), float(gates.usd), plan.pipeline.name)


def _over(name: str, worst: float, most: float, pipeline: str) -> str:
    what, limit = ("cost", f"${most:g}") if name == "usd" else (name, f"{most:_.0f}")
    more = f"{amount(name, worst - most)} more than --max-{name} {limit.removeprefix('$')}"
    return (
        f"{what} {amount(name, worst)} at worst, {more}; "
        f"`budget {{ {name} = {limit} }}` in pipeline {pipeline} holds every run to it, fewer agents, rounds or tokens "
        "make the plan smaller"
    )
