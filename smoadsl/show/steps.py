"""Steps, to show a plan to a person: who does what in which order, what the compiler decided, what it can take."""

import io
from collections.abc import Iterator
from itertools import groupby
from typing import assert_never

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from smoadsl.diagnostics.render.text import harmless, printable
from smoadsl.plan import plan as plans
from smoadsl.show import words
from smoadsl.show.figures import figures
from smoadsl.show.safe import counted

_WIDTH = 80  # every terminal has these, and so has a review that a plan is pasted into
_Row = tuple[str, str, str, str, str]  # layer, rounds, step, who, how


def plan_text(plan: plans.Plan, width: int = _WIDTH) -> str:
    """The plan as text without colour, in lines of at most `width` columns."""
    parts: list[RenderableType] = []
    for pipeline in _pipelines(plan.pipeline):
        form = words.answer_form(pipeline.answer)
        head = f"pipeline {pipeline.name}{f', answer {form}' if form else ''}"
        parts += [_cell(head), Text(), _steps(pipeline), Text()]
    parts.pop()
    if plan.decisions:
        parts += [Text(), Text("decided by the compiler"), _decisions(plan)]
    if plan.bounds:
        parts += [Text(), figures(plan.bounds)]
    console = Console(file=io.StringIO(), width=max(width, 1), color_system=None, legacy_windows=False)
    lines = [line for part in parts for line in console.render_lines(part, pad=False)]
    text = "".join("".join(segment.text for segment in line).rstrip() + "\n" for line in lines)
    return harmless(text)  # where a name is broken, a line can begin anywhere in it


def _pipelines(pipeline: plans.Pipeline) -> Iterator[plans.Pipeline]:
    """The pipeline, and those that are agents in it, each once: equal names are equal pipelines."""
    found = {pipeline.name: pipeline}
    for agent in (agent for layer in pipeline.layers for agent in layer.agents):
        if isinstance(agent.does, plans.Pipeline):
            found |= {inner.name: inner for inner in _pipelines(agent.does)}
    yield from found.values()


# ---- the table of steps


def _steps(pipeline: plans.Pipeline) -> Table:
    table = _grid("layer", "rounds", "step", "who", "how")
    for number, layer in enumerate(pipeline.layers):
        for row in _layer(layer, is_first=number == 0):
            table.add_row(*map(_cell, row))
        table.add_row()
    table.add_row(*map(_cell, _aggregate(pipeline.aggregate)))
    return table


def _layer(layer: plans.Layer, is_first: bool) -> Iterator[_Row]:
    name, rounds, step = layer.name, words.rounds(layer), "propose"
    if layer.when is not None:
        yield name, rounds, "when", "", words.written(layer.when)
        name = rounds = ""
    # Agents that do the same share a row: six proposers without roles are one line, not six.
    for (role, view, template), agents in groupby(layer.agents, key=_way):
        seen = "" if is_first and layer.rounds == 1 else words.sees(view)
        how = "; ".join(filter(None, [words.few(role), seen, template]))
        yield name, rounds, step, ", ".join(map(_agent, agents)), how
        name = rounds = step = ""
    if layer.activate is not None:
        count = f"runs {layer.activate.count} of {len(layer.agents)}"
        yield "", "", "activate", words.chosen_by(layer.activate), count
    if layer.quorum is not None:
        yield "", "", "quorum", "", words.quorum(layer, layer.quorum)
    if layer.judge is not None:
        yield "", "", "judge", words.judge(layer.judge), _keeps(layer.judge, plans.active(layer))
    for stop in layer.stops:
        yield "", "", "stop", "", words.rule(stop).removeprefix("stop ")


def _aggregate(end: plans.Aggregate) -> _Row:
    match end:
        case plans.ModelAggregate(call=call, otherwise=otherwise):
            how = "; ".join(filter(None, [words.template(call), f"otherwise {otherwise}"]))
            return "", "", "aggregate", call.model, how
        case plans.FreeAggregate(kind=kind):
            return "", "", "aggregate", f"{kind}()", "no call"
        case _:
            assert_never(end)


def _way(agent: plans.Agent) -> tuple[str, plans.View, str]:
    """Role, view and template of an agent."""
    return agent.role, agent.view, words.template(agent.does) if isinstance(agent.does, plans.Call) else ""


def _agent(agent: plans.Agent) -> str:
    """`qwen`, `qwen.2`, or `alice=qwen` where the author chose a name: without spaces, so that no line breaks in it."""
    return agent.name if agent.name.partition(".")[0] == agent.model else f"{agent.name}={agent.model}"


def _keeps(judge: plans.Judge, agents: int) -> str:
    parts = [words.keeps(judge, agents), *words.thinned_by(judge)]
    if isinstance(judge.by, plans.ModelJudge):
        parts += [words.template(judge.by.call), f"otherwise {judge.otherwise}"]
    return "; ".join(filter(None, parts))


# ---- decisions


def _decisions(plan: plans.Plan) -> Table:
    """What each pass decided, and what all of that saves."""
    table = _grid("", "")
    savings = {saving.pass_name: saving for saving in plan.savings}
    for name, decisions in groupby(plan.decisions, lambda made: made.pass_name):
        for made in decisions:
            table.add_row(_cell(f"  {name}"), _cell(f"{made.message} ({made.origin})"))
        if name in savings and (saved := _saved(savings[name])):
            table.add_row("", _cell(saved))
    return table


def _saved(saving: plans.Saving) -> str:
    """`saves 5 calls and 5,000 tokens`; of what is only saved where a run ends early, `at best`."""
    amounts = [(saving.full_calls, "call"), (saving.full_tokens, "token")]
    words = [counted(amount, unit) for amount, unit in amounts if amount > 0]
    if not words and saving.least_calls > 0:
        words = [f"{counted(saving.least_calls, 'call')} at best"]
    return f"saves {' and '.join(words)}" if words else ""


def _grid(*heads: str) -> Table:
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(heads))
    for column in table.columns:
        column.overflow = "fold"
    return table


def _cell(text: str) -> Text:
    """Never markup, and nothing that steers a terminal: names and roles come from files."""
    return Text(printable(text))
