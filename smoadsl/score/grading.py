"""Grading, to ask a model for the scores of an answer, or for the better of two, and to read what it says.

Nothing is sent here: what is to be asked is data, for whoever makes calls, and what came is read into outcomes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from smoadsl.adapters.base import Message
from smoadsl.builtins import verdicts
from smoadsl.builtins.prompts import built_in
from smoadsl.builtins.verdicts import Question
from smoadsl.classes import dataclass
from smoadsl.runtime.render import render
from smoadsl.score.outcome import SHARE, Outcome, Refused, Said, Scored, Unknown, Unreadable, absent
from smoadsl.score.rubrics import Rubric

_PAIR = ("A", "B")
_FORWARD, _BACKWARD = _PAIR  # the label of ours in the first order, and in the second


@dataclass(frozen=True, slots=True)
class Asked:
    """What a grader is sent, and in which form it is to answer."""

    messages: tuple[Message, ...]
    question: Question

    @property
    def schema(self) -> dict[str, Any]:
        return verdicts.schema(self.question)

    def again(self, reply: str, fault: str) -> "Asked":
        """The same once more, with what was wrong with the reply."""
        repair = Message("user", render(built_in("repair"), "built-in repair", {"fault": fault}))
        return Asked((*self.messages, Message("assistant", reply), repair), self.question)

    def fault(self, reply: str) -> str:
        """What is wrong with a reply; empty where it can be read."""
        try:
            verdicts.read(self.question, reply)
        except verdicts.Unreadable as wrong:
            return str(wrong)
        return ""


# ---- one answer


def ask_grades(
    rubric: Rubric, turns: Sequence[Message], said: Said, aspects: Sequence[str] = (), reference: str = ""
) -> Asked | None:
    """What to ask of an answer to the conversation; None where there is none to grade. `aspects` are those that count
    here, all of them where none is named; `reference` is an answer that is known to be right."""
    if absent(said) is not None:
        return None
    if unknown := [name for name in aspects if name not in rubric.aspects]:
        raise ValueError(f"{rubric.name} has no aspect `{unknown[0]}`: there are {', '.join(rubric.aspects)}")
    names = tuple(aspects) or tuple(rubric.aspects)
    most = round(rubric.scale.high)
    values = {
        "messages": _quoted(turns),
        "responses": [_response("answer", said.text or "")],
        "reference": [_response("reference", reference)] if reference else [],
        "aspects": [{"name": name, "about": rubric.aspects[name]} for name in names],
        "most": most,
        "harm": rubric.scale.less_is_better,
    }
    text = render(built_in("grade"), "built-in grade", values)
    return Asked((Message("user", text),), Question("score", names, most=most))


def read_grades(rubric: Rubric, asked: Asked | None, said: Said, reply: str | None) -> dict[str, Outcome]:
    """The outcome of each aspect. `reply` is None where the grader gave none."""
    names = asked.question.labels if asked else tuple(rubric.aspects)
    if (nothing := absent(said)) is not None or asked is None:
        return dict.fromkeys(names, nothing or Unreadable("it was not asked for"))
    if reply is None:
        return dict.fromkeys(names, Unreadable("the grader gave no answer"))
    try:
        verdict = verdicts.read(asked.question, reply)
    except verdicts.Unreadable as wrong:
        return dict.fromkeys(names, Unreadable(str(wrong)))
    return {name: Scored(verdict.scores[name], rubric.scale, said.degraded) for name in names}


def turns_of(conversation: Sequence[Message]) -> list[tuple[tuple[Message, ...], str]]:
    """Each answer of a conversation of several turns, with all that was said before it: what MT-Bench grades."""
    return [
        (tuple(conversation[:place]), message.content)
        for place, message in enumerate(conversation)
        if message.role == "assistant"
    ]


# ---- one of two


def ask_pair(turns: Sequence[Message], ours: Said, theirs: Said) -> tuple[Asked, Asked] | None:
    """What to ask of two answers, in both orders; None where one of them is missing."""
    if absent(ours) is not None or absent(theirs) is not None:
        return None
    texts = (ours.text or "", theirs.text or "")
    return _ask_order(turns, texts), _ask_order(turns, texts[::-1])


def read_pair(ours: Said, theirs: Said, forward: str | None, backward: str | None) -> Outcome:
    """1 where ours was preferred in both orders, 0 where theirs was, 1/2 for a tie: the orders disagree.

    Without an answer to compare it with there is no score; where ours is missing, that is the outcome.
    """
    if (lacking := absent(theirs)) is not None:
        why = "refused" if isinstance(lacking, Refused) else "missing"
        return Unknown(f"the reference answer is {why}")
    if (nothing := absent(ours)) is not None:
        return nothing
    wins = []
    for own, reply in ((_FORWARD, forward), (_BACKWARD, backward)):
        if reply is None:
            return Unreadable("the grader gave no answer")
        try:
            wins.append(verdicts.read(_QUESTION, reply).best[0] == own)
        except verdicts.Unreadable as wrong:
            return Unreadable(str(wrong))
    return Scored(sum(wins) / 2, SHARE, ours.degraded, tie=wins[0] != wins[1])


_QUESTION = Question("rank", _PAIR, keep=1)


def _ask_order(turns: Sequence[Message], texts: Sequence[str]) -> Asked:
    responses = [_response(label, text) for label, text in zip(_PAIR, texts, strict=True)]
    values = {"messages": _quoted(turns), "responses": responses}
    return Asked((Message("user", render(built_in("grade_pair"), "built-in grade_pair", values)),), _QUESTION)


def _quoted(turns: Sequence[Message]) -> list[Mapping[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _response(name: str, text: str) -> Mapping[str, str]:
    return {"agent": name, "text": text}
