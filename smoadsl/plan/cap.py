"""Cap, to hold a plan to limits that come from outside its file, over those that the file states."""

from dataclasses import fields, replace

from smoadsl.calls.budget import Limits
from smoadsl.plan.bounds import PROMPT_TOKENS, bounds
from smoadsl.plan.plan import Plan


def capped(plan: Plan, cap: Limits) -> Plan:
    """The plan with the lower of each two limits as its budget, its bounds found anew. The aggregate's share is set
    aside of it, as of a budget that is written: a cap does not cost the answer."""
    if cap == Limits():
        return plan
    budget = plan.pipeline.budget
    lower = {}
    for field in fields(Limits):
        both = [limit for one in (budget, cap) if (limit := getattr(one, field.name)) is not None]
        lower[field.name] = min(both, default=None)
    pipeline = plan.pipeline.model_copy(update={"budget": replace(budget, **lower)})
    held = plan.model_copy(update={"pipeline": pipeline})
    prompt_tokens = plan.bounds.prompt_tokens if plan.bounds else PROMPT_TOKENS
    return held.model_copy(update={"bounds": bounds(held, prompt_tokens)})


def unpriced(plan: Plan, cap: Limits) -> str:
    """Why a run of the plan can not be held to the cap, as one sentence; empty if it can."""
    missing = (plan.bounds or bounds(plan)).unpriced
    if cap.usd is None or not missing:
        return ""
    help = "add `price = { input = $…, output = $… }`, per million tokens, to each of them"
    return f"a limit in dollars needs the prices of {', '.join(missing)}: {help}"
