"""Diff calls, to say how models are asked otherwise than before: once for a model, not once for each of its calls."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from smoadsl.calls.route import Route
from smoadsl.plan import writing
from smoadsl.plan.diff_notes import Change, Pair

_Said = tuple[str, str, str | None, str | None, bool]  # where, what, before, after, renamed


def call_changes(pairs: Sequence[Pair], renamed_templates: Mapping[str, str]) -> Iterator[Change]:
    """What changed in the calls that both plans make. `renamed_templates` has the new names of those whose text is as
    it was."""
    places: dict[_Said, list[str]] = {}
    for pair in pairs:
        for said in _differences(pair, renamed_templates):
            places.setdefault(said, []).append(pair.place)
    asked = Counter(f"model {pair.after.model}" for pair in pairs)
    for (where, what, before, after, renamed), found in places.items():
        some = where in asked and len(found) < asked[where]
        yield Change(
            area="models",
            where=where,
            what=what,
            before=before,
            after=after,
            renamed=renamed,
            places=tuple(found) if some else (),
        )


def _differences(pair: Pair, renamed_templates: Mapping[str, str]) -> Iterator[_Said]:
    before, after = pair.before, pair.after
    old, new = before.routes[0], after.routes[0]
    model = f"model {after.model}"
    swapped = before.model != after.model and old.name != new.name
    if swapped:
        yield pair.place, "model", f"{before.model} = {old.name}", f"{after.model} = {new.name}", False
    elif before.model != after.model:
        yield model, "name", before.model, after.model, True
    elif old.name != new.name:
        yield model, "provider/id", old.name, new.name, False
    yield from _settings(pair.place if swapped else model, old, new)
    others = {route.name: route for route in before.routes[1:]}
    fallbacks = [route.name for route in after.routes[1:]]
    if list(others) != fallbacks:
        yield model, "fallback", ", ".join(others) or None, ", ".join(fallbacks) or None, False
    for route in after.routes[1:]:
        if route.name in others:
            yield from _settings(f"{model}, fallback {route.name}", others[route.name], route)
    if renamed_templates.get(before.template, before.template) != after.template:
        yield pair.place, "template", before.template, after.template, False


def _settings(where: str, before: Route, after: Route) -> Iterator[_Said]:
    if before == after:
        return
    old, new = _flat(before), _flat(after)
    for name in dict.fromkeys((*old, *new)):
        was, is_ = writing.value(old.get(name)), writing.value(new.get(name))
        if was != is_:
            yield where, name, was, is_, False


def _flat(route: Route) -> dict[str, Any]:
    values = asdict(route)
    sampling = values.pop("sampling")
    del values["provider"], values["model"]
    return writing.flat(sampling | values)
