"""Lacking, to tell all the keys that a run needs and that are not set, once each, before anything is asked."""

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import chain

import click

from smoadsl.diagnostics.render.text import printable
from smoadsl.plan.plan import Plan, calls_of
from smoadsl.show.safe import listed
from smoadsl.tools.options import Exit


def keys_or_exit(plans: Sequence[Plan], every_route: bool = False) -> None:
    """End the command where a model can be asked nowhere for want of a key; or, of every route, where it lacks one."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for plan in plans:
        for key, models in lacking_keys(plan, os.environ, every_route).items():
            lacking[key] = list(dict.fromkeys([*lacking.get(key, ()), *models]))
    if not lacking:
        return
    width = max(len(variable) for variable, _ in lacking)
    said, them = ("a key is", "it") if len(lacking) == 1 else (f"{len(lacking)} keys are", "them")
    click.echo(f"error: {said} missing, so nothing was asked:", err=True)
    for (variable, provider), models in lacking.items():
        click.echo(printable(f"  {variable:{width}}  {provider} needs it, for {listed(models)}"), err=True)
    click.echo(f"set {them}, or swap a model: --model NAME=provider/id", err=True)
    sys.exit(Exit.FAILED)


def lacking_keys(plan: Plan, environ: Mapping[str, str], every_route: bool = False) -> dict[tuple[str, str], list[str]]:
    """The variables that are not set, each with its provider, and the models that can be asked nowhere for want of it:
    one that has a fallback whose key is set can be asked. Of `every_route`, the models that may need it."""
    found: dict[tuple[str, str], list[str]] = {}
    for call in [*(recipe.call for recipe in plan.recipes), *calls_of(plan.pipeline)]:
        providers = [plan.providers[route.provider] for route in call.routes]
        each = [[(env.name, one.name) for env in one.variables if not env.value_in(environ)] for one in providers]
        for key in chain(*each) if every_route else each[0] if all(each) else ():
            models = found.setdefault(key, [])
            if call.model not in models:
                models.append(call.model)
    return found
