"""Diff beside, to compare what two plans hold beside their pipelines: roles, locks, templates and providers."""

from collections.abc import Mapping
from dataclasses import asdict

from smoadsl.language.lock import Entry
from smoadsl.plan import writing
from smoadsl.plan.diff_notes import Notes
from smoadsl.plan.plan import BUILT_IN, Plan, Recipe

Locked = Mapping[str, Entry]


def recipes_differ(before: Plan, after: Plan, notes: Notes) -> None:
    """Roles that no lock has yet: what they will be made of."""
    old, new = ({recipe.name: recipe for recipe in plan.recipes} for plan in (before, after))
    for name in dict.fromkeys((*old, *new)):
        here, was, is_ = f"roles {name}", old.get(name), new.get(name)
        notes.differ(here, "not made yet", was and _in_short(was), is_ and _in_short(is_))
        if was and is_:
            notes.asks(here, was.call, is_.call)
            notes.reads(f"dataset of {here}", was.dataset, is_.dataset)
            notes.reads(f"task of {here}", was.task, is_.task)


def _in_short(recipe: Recipe) -> str:
    return f"{recipe.n} by {recipe.call.model}"


def locks_differ(before: Locked, after: Locked, notes: Notes) -> None:
    """The roles in the locks. What an agent's role is because its lock changed is told as the lock's text alone."""
    changed = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    old = {role for name in changed if name in before for role in before[name].roles}
    new = {role for name in changed if name in after for role in after[name].roles}
    notes.wordings[:] = [one for one in notes.wordings if not (one.is_role and one.before in old and one.after in new)]
    for name in changed:
        was, is_ = (_entry(locked[name]) if name in locked else None for locked in (before, after))
        notes.reads(f"locked roles {name}", was, is_)


def _entry(entry: Entry) -> str:
    return "\n".join([f"made by {entry.model}, fingerprint {entry.fingerprint[:12]}", *entry.roles])


def templates_differ(before: Plan, after: Plan, notes: Notes) -> dict[str, str]:
    """The new names of those whose text is as it was."""
    old, new = (
        {name: text for name, text in plan.templates.items() if not name.startswith(BUILT_IN)}
        for plan in (before, after)
    )
    renamed: dict[str, str] = {}
    for name in (name for name in old if name not in new):
        free = [other for other in new if other not in old and other not in renamed.values()]
        same = next((other for other in free if new[other] == old[name]), None)
        if same is not None:
            renamed[name] = same
            notes.renamed(f"template {same}", "name", name, same)
    for name in dict.fromkeys((*old, *new)):
        if name not in renamed and name not in renamed.values():
            notes.reads(f"template {name}", old.get(name), new.get(name))
    return renamed


def providers_differ(before: Plan, after: Plan, notes: Notes) -> None:
    """Where calls go; of a provider that is new or gone only its address."""
    for name in dict.fromkeys((*before.providers, *after.providers)):
        was, is_ = before.providers.get(name), after.providers.get(name)
        if was and is_:
            old, new = writing.flat(asdict(was)), writing.flat(asdict(is_))
        else:
            old, new = ({"address": one.base_url or one.adapter} if one else {} for one in (was, is_))
        for setting in dict.fromkeys((*old, *new)):
            notes.differ(f"provider {name}", setting, old.get(setting), new.get(setting), "providers")
