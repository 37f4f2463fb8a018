"""Diff notes, to keep what is found to differ between two plans while they are walked side by side."""

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Literal

from smoadsl.classes import dataclass
from smoadsl.frozen import Frozen
from smoadsl.plan import writing
from smoadsl.plan.plan import Call

Area = Literal["shape", "models", "providers"]


class Change(Frozen):
    """One thing that differs: `what` of `where`, in the language's words. `before` is None for what is new or was not
    set, `after` for what is gone; `renamed` things are the same but for their name. `places` are those where a model
    is asked so, none where that is everywhere."""

    area: Area
    where: str
    what: str
    before: str | None
    after: str | None
    renamed: bool = False
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wording:
    """A text in both plans, None where there is none."""

    what: str
    before: str | None
    after: str | None
    is_role: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A call in both plans, and the place where it is made."""

    place: str
    before: Call
    after: Call


@dataclass
class Notes:
    """What was found, in the order in which it was."""

    changes: list[Change] = field(default_factory=list)
    wordings: list[Wording] = field(default_factory=list)
    calls: list[Pair] = field(default_factory=list)

    def differ(self, where: str, what: str, before: Any, after: Any, area: Area = "shape") -> None:
        """Note a value if it is not the same in both."""
        old, new = writing.value(before), writing.value(after)
        if old != new:
            self.changes.append(Change(area=area, where=where, what=what, before=old, after=new))

    def renamed(self, where: str, what: str, before: str, after: str) -> None:
        if before != after:
            self.changes.append(Change(area="shape", where=where, what=what, before=before, after=after, renamed=True))

    def reordered(self, where: str, what: str, before: Sequence[str], stayed: Sequence[tuple[str, str]]) -> None:
        """Note the order of things that are in both, by their old and new names in the new order, if it is another
        than `before`: every tie goes by declared order."""
        now = dict(stayed)
        old = sorted(now, key=list(before).index)
        self.differ(where, what, ", ".join(now[name] for name in old), ", ".join(now.values()))

    def reads(self, what: str, before: str | None, after: str | None, is_role: bool = False) -> None:
        """Note a text if it is not the same in both; an empty one is none."""
        if (before or None) != (after or None):
            self.wordings.append(Wording(what, before or None, after or None, is_role))

    def asks(self, place: str, before: Call, after: Call) -> None:
        self.calls.append(Pair(place, before, after))
