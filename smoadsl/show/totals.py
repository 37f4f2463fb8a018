"""Totals, to say in one line what a run took."""

from smoadsl.runtime.events import Totals
from smoadsl.show.safe import counted


def totals_line(totals: Totals) -> str:
    """`6 calls · 8,120 tokens · $0.0041 · 7.2 s`; `~` before tokens that a provider did not count, `over` before money
    where not all prices are known. What costs nothing says nothing of it."""
    tokens = totals.input_tokens + totals.output_tokens
    about = "~" if totals.estimated else ""
    calls = counted(totals.calls, "call")
    extra = totals.attempts - totals.calls
    retries = f" · {extra:,} {'retry' if extra == 1 else 'retries'}" if extra > 0 else ""
    usd = f" · {'over ' * totals.unpriced}${totals.usd:.4f}" if totals.usd else ""
    return f"{calls} · {about}{counted(tokens, 'token')}{usd} · {totals.seconds:.1f} s{retries}"
