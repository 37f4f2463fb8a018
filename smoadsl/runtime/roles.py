"""Roles, to have a model write the role descriptions of a panel: r_i = f(dataset D, task T), arXiv 2411.03284."""

from dataclasses import replace
from typing import Any

import orjson

from smoadsl.adapters.base import Fault, Message
from smoadsl.calls.caller import Caller
from smoadsl.plan.plan import Making, Recipe
from smoadsl.runtime.asker import Asker, Emit, Place
from smoadsl.runtime.render import RenderError, render


class NoRoles(Exception):
    """Roles that could not be made; the message is one sentence."""


async def make_roles(making: Making, recipe: Recipe, caller: Caller, emit: Emit, seed: int = 0) -> tuple[str, ...]:
    """The roles of a recipe: asked for once, and once more with the fault named. Raises `NoRoles`."""
    asker = Asker(caller, emit, str(seed))
    values = {"n": recipe.n, "dataset": recipe.dataset, "task": recipe.task}
    schema = _schema(recipe.n)
    place = Place("roles", recipe.name)
    try:
        messages = (Message("user", render(making.templates[recipe.call.template], recipe.call.template, values)),)
        asked: tuple[Message, ...] = messages
        fault = ""
        for repair in (False, True):
            _number, reply = await asker.ask(replace(place, repair=repair), recipe.call, asked, schema)
            roles, fault = _read(reply.text, recipe.n)
            if not fault:
                return roles
            again = render(making.templates["built-in repair"], "built-in repair", {"fault": fault})
            asked = (*messages, Message("assistant", reply.text), Message("user", again))
    except (Fault, RenderError) as error:
        raise NoRoles(f"the roles of {recipe.name} could not be made: {error}") from error
    raise NoRoles(f"{recipe.call.model} wrote no roles for {recipe.name} that can be used: {fault}")


def _schema(n: int) -> dict[str, Any]:
    roles = {"type": "array", "items": {"type": "string"}, "minItems": n, "maxItems": n}
    return {"type": "object", "properties": {"roles": roles}, "required": ["roles"], "additionalProperties": False}


def _read(text: str, n: int) -> tuple[tuple[str, ...], str]:
    """The roles, or what is wrong with them."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return (), "it is not one JSON object and nothing else"
    roles = value.get("roles") if isinstance(value, dict) else None
    if not isinstance(roles, list) or not all(isinstance(role, str) and role.strip() for role in roles):
        return (), '"roles" is no list of texts'
    distinct = tuple(dict.fromkeys(role.strip() for role in roles))
    if len(distinct) < n:
        return (), f'"roles" has {len(distinct)} different roles, not {n}'
    return distinct[:n], ""
