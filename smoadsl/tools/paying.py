"""Paying, to ask on a terminal before money is spent on many rows."""

import sys
from collections.abc import Sequence
from decimal import Decimal

import click

from smoadsl.plan.plan import Plan
from smoadsl.show.safe import counted

_TIMELESS = frozenset({"simulated", "given"})  # adapters that nobody is paid for, and whose time is only told


def is_timeless(plan: Plan) -> bool:
    """Whether no provider of the plan takes any time or money of this world."""
    return all(provider.adapter in _TIMELESS for provider in plan.providers.values())


def ask_before_paying(plans: Sequence[Plan], rows: int, max_usd: Decimal | None, again: bool) -> None:
    """Ask whether to put so many rows through each of the plans. `again`: some may be answered already. Ends the
    command where the answer is no; asks nobody where nobody sits at a terminal, or where all is free."""
    paid = [plan for plan in plans if not is_timeless(plan)]
    sums = [plan.bounds.usd if plan.bounds else None for plan in paid]
    known = [money for money in sums if money is not None]
    is_free = len(known) == len(sums) and not any(money.worst for money in known)
    if is_free or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    said = counted(rows, "row") + f" through each of {len(plans)} pipelines" * (len(plans) > 1)
    if len(known) < len(sums):
        said += ", at a price that is not known"
    else:
        full, worst = (sum(getattr(money, name) for money in known) for name in ("full", "worst"))
        tokens = max(plan.bounds.prompt_tokens for plan in paid if plan.bounds)
        said += (
            f", for prompts of {counted(tokens, 'token')} ${rows * full:,.2f} in full, ${rows * worst:,.2f} at worst"
        )
    said += f"; no more than ${max_usd:,.2f}" if max_usd is not None else ""
    said += "; what is answered is not bought again" if again else ""
    click.confirm(f"{said}. Begin?", default=True, abort=True, err=True)
