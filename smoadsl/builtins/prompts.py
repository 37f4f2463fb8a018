"""Prompts, to know the built-in templates and what each kind of template is given."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from smoadsl.classes import dataclass

Place = Literal["propose", "judge", "moderator", "router", "roles", "aggregate"]

PLACES: dict[Place, tuple[str, ...]] = {
    "propose": ("prompt", "messages", "input", "role", "own", "references", "round", "layer", "agent"),
    "judge": ("prompt", "messages", "input", "responses", "criteria", "k", "round", "layer", "moderate", "feedback"),
    "moderator": ("prompt", "messages", "input", "responses", "round", "layer"),
    "router": ("prompt", "messages", "agents", "k"),
    "roles": ("n", "dataset", "task"),
    "aggregate": ("prompt", "messages", "input", "role", "own", "references", "round", "layer", "agent"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a template may read of one of the things that it is given."""

    noun: str
    fields: tuple[str, ...]


_RESPONSE = Shape("response", ("text", "agent", "score", "feedback"))
LISTS: Mapping[str, Shape] = {
    "references": _RESPONSE,
    "responses": _RESPONSE,
    "messages": Shape("message", ("role", "content")),
    "agents": Shape("agent", ("name", "about")),
}
SINGLE: Mapping[str, Shape] = {"own": _RESPONSE}
BUILT_IN = (
    "propose", "rank", "score", "pairwise", "moderator", "router", "roles", "repair", "aggregate", "grade", "grade_pair"
)  # fmt: skip
FILTERS = (
    "default fenced first indent join last length list lower map rejectattr replace reverse round selectattr sort "
    "title tojson trim truncate unique upper wordcount"
).split()


@cache
def built_in(name: str) -> str:
    """The text of a built-in template. They are files so that `smoadsl templates` can print them."""
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text(encoding="utf-8").strip()
