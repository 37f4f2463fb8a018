"""Grading, to have a model score the answers of a comparison: each by a rubric, or beside a reference in both orders.

What a grader said stands in the ledger like every answer, and is bought once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import click

from smoadsl.adapters.base import Fault, Message
from smoadsl.calls.budget import Budget
from smoadsl.calls.caller import Caller
from smoadsl.calls.session import Session
from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Source
from smoadsl.plan.plan import Call, ModelAggregate, Plan
from smoadsl.runtime.asker import Asker, Place
from smoadsl.scale.ledger import Ledger
from smoadsl.scale.records import Job, Result
from smoadsl.scale.rows import Data, Row
from smoadsl.score.grading import Asked, ask_grades, ask_pair, read_grades, read_pair, turns_of
from smoadsl.score.outcome import Outcome, Said, Scored, Unreadable, said_of
from smoadsl.score.rubrics import Rubric
from smoadsl.score.statistics import mean
from smoadsl.tools import api

Parts = Mapping[str, Outcome]  # by aspect, turn or whatever a score is the mean of


@dataclass(frozen=True, slots=True)
class Grading:
    """`rubric` None: answers are compared with the row's field `right`, else with those of the entrant at `baseline`.
    A row may name the aspects that count for it in a field `skills`."""

    name: str
    plan: Plan
    rubric: Rubric | None
    right: str
    baseline: int
    concurrency: int = 8

    async def parts(
        self,
        data: Data,
        results: Sequence[Sequence[Result]],
        ledger: Ledger,
        session: Session,
        budget: Budget,
    ) -> list[list[Parts]]:
        """What each answer of each entrant is graded. Where the budget is spent in the end, some of them were not."""
        job = ledger.take_on(Job(f"grading by {self.name}", "", "", 0), ())
        grader = _Grader(self, session, ledger, job, budget, data, asyncio.Semaphore(self.concurrency))
        try:
            async with asyncio.TaskGroup() as group:
                rows = zip(data.rows(), *results, strict=True)
                tasks = [group.create_task(grader.row(row, came)) for row, *came in rows]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [list(parts) for parts in zip(*(task.result() for task in tasks), strict=True)]

    @property
    def call(self) -> Call:
        assert isinstance(self.plan.pipeline.aggregate, ModelAggregate)
        return self.plan.pipeline.aggregate.call


def whole(parts: Parts) -> Outcome:
    """The score of an answer as a whole: the mean of its parts that have one, else why there is none."""
    scored = [one for one in parts.values() if isinstance(one, Scored)]
    if not scored:
        return next(iter(parts.values()), Unreadable("it was not graded"))
    value, first = mean([one.value for one in scored]), scored[0]
    return Scored(value, first.scale, first.degraded, tie=any(one.tie for one in scored))


def grader_plan(model: str) -> Plan:
    """A plan that asks the model `provider/id` alone, without chance if it allows that. Raises `click.UsageError`."""
    for settings in (" { temperature = 0 }", ""):
        text = f'model grader = "{model}"{settings}\npipeline grading {{ aggregate grader }}'
        outcome = api.compile(Source("--grader", text))
        if outcome.value is not None:
            return outcome.value
    said = "; ".join(one.message for one in outcome.diagnostics)
    raise click.UsageError(f"--grader {model}: {said}")


@dataclass(frozen=True, slots=True)
class _Grader:
    grading: Grading
    session: Session
    ledger: Ledger
    job: int
    budget: Budget
    data: Data
    turns: asyncio.Semaphore

    async def row(self, row: Row, came: Sequence[Result]) -> list[Parts]:
        async with self.turns:
            try:
                fields, asked = row.fields(), self.data.turns(row)
            except ValueError as error:
                return [{"": Unreadable(str(error))} for _ in came]
            first, following = asked
            if self.grading.rubric is None:
                reference = _reference(fields.get(self.grading.right), came[self.grading.baseline])
                return [{"": await self._pair(row, first.messages, said_of(one), reference)} for one in came]
            rubric, skills = self.grading.rubric, _named(fields.get("skills"), self.grading.rubric)
            return [await self._grades(row, rubric, first.messages, following, one, skills) for one in came]

    async def _grades(
        self,
        row: Row,
        rubric: Rubric,
        first: tuple[Message, ...],
        following: Sequence[str],
        result: Result,
        skills: Sequence[str],
    ) -> Parts:
        """The outcome of each aspect; of a row with several turns, of each aspect of each turn."""
        said = said_of(result)
        if not following or not result.answers:
            return await self._grade(row, rubric, first, said, skills)
        talk: list[Message] = []
        for answer, turn in zip(result.answers, (*following, ""), strict=True):
            talk += [Message("assistant", answer), Message("user", turn)]
        parts: dict[str, Outcome] = {}
        for number, (before, answer) in enumerate(turns_of(talk), 1):
            one = Said(answer, None, said.degraded)
            graded = await self._grade(row, rubric, (*first, *before), one, skills)
            parts |= {f"{name}, turn {number}": outcome for name, outcome in graded.items()}
        return parts

    async def _grade(
        self, row: Row, rubric: Rubric, turns: tuple[Message, ...], said: Said, skills: Sequence[str]
    ) -> Parts:
        asked = ask_grades(rubric, turns, said, skills)
        return read_grades(rubric, asked, said, await self._reply(row, asked) if asked else None)

    async def _pair(self, row: Row, turns: tuple[Message, ...], ours: Said, theirs: Said) -> Outcome:
        if ours.text is not None and ours.text == theirs.text:
            return Scored(0.5, degraded=ours.degraded, tie=True)  # nobody is asked to tell an answer from itself
        asked = ask_pair(turns, ours, theirs)
        replies = [await self._reply(row, one) for one in asked] if asked else [None, None]
        return read_pair(ours, theirs, *replies)

    async def _reply(self, row: Row, asked: Asked) -> str | None:
        """The grader's reply, asked for once more where it can not be read; None where there is none."""
        caller = Caller(self.session, Random(0), self.ledger.begin(self.job, row, 0))
        asker = Asker(caller, lambda _: None, f"grading\x00{row.number}", self.budget)
        reply = None
        for repair in (False, True):
            place = Place("judge", "grader", repair=repair)
            try:
                reply = (await asker.ask(place, self.grading.call, asked.messages, asked.schema))[1].text
            except Fault:
                return reply
            if not (fault := asked.fault(reply)):
                return reply
            asked = asked.again(reply, fault)
        return reply


def _reference(right: Any, baseline: Result) -> Said:
    return Said(right) if isinstance(right, str) else said_of(baseline)


def _named(skills: Any, rubric: Rubric) -> Sequence[str]:
    """The aspects that a row names, of those that there are."""
    named = skills if isinstance(skills, list) else []
    return [name for name in named if name in rubric.aspects]
