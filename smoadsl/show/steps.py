"""Steps, to show a plan to a person: who does what in which order, what the compiler decided, what it can take."""

import io
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import assert_never

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from smoadsl.diagnostics.render.text import harmless, printable
from smoadsl.plan import plan as plans
from smoadsl.show.figures import figures
from smoadsl.show.safe import one_line

_WIDTH = 80  # every terminal has these; 100 are fine, but a plan is also pasted into reviews
_FEW_WORDS = 50  # characters
_Row = tuple[str, str, str, str, str]  # layer, rounds, step, who, how


def plan_text(plan: plans.Plan, width: int = _WIDTH) -> str:
    """The plan as text without colour, in lines of at most `width` columns."""
    parts: list[RenderableType] = []
    for pipeline in _pipelines(plan.pipeline):
        form = pipeline.answer
        detail = f"({', '.join(form.detail)})" if form.detail else ""
        answer = "" if form.kind == "text" else f", answer {form.kind}{detail}"
        parts += [_cell(f"pipeline {pipeline.name}{answer}"), Text(), _steps(pipeline), Text()]
    parts.pop()
    if plan.decisions:
        parts += [Text(), Text("decided by the compiler"), _decisions(plan.decisions)]
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
    rounds = f"{layer.rounds}" if not layer.stops or layer.rounds == 1 else f"1 to {layer.rounds}"
    name, step = layer.name, "propose"
    if layer.when is not None:
        yield name, rounds, "when", "", written(layer.when)
        name = rounds = ""
    # Agents that do the same share a row: six proposers without roles are one line, not six.
    for (role, view), agents in groupby(layer.agents, key=lambda agent: (agent.role, agent.view)):
        seen = "" if is_first and layer.rounds == 1 else _sees(view)
        yield name, rounds, step, ", ".join(map(_agent, agents)), "; ".join(filter(None, [_role(role), seen]))
        name = rounds = step = ""
    if layer.activate is not None:
        by = f"router({layer.activate.router.model})" if layer.activate.router else f"random({_seed(layer.activate)})"
        yield "", "", "activate", by, f"runs {layer.activate.count} of {len(layer.agents)}"
    if layer.quorum is not None:
        yield "", "", "quorum", "", f"{layer.quorum.count} of {plans.active(layer)} after {layer.quorum.after_s:g}s"
    if layer.judge is not None:
        yield "", "", "judge", _judge(layer.judge), _keeps(layer.judge, plans.active(layer))
    for stop in layer.stops:
        yield "", "", "stop", "", rule(stop).removeprefix("stop ")


def _aggregate(end: plans.Aggregate) -> _Row:
    match end:
        case plans.ModelAggregate(call=call, otherwise=otherwise):
            how = "; ".join(filter(None, [_template(call), f"otherwise {otherwise}"]))
            return "", "", "aggregate", call.model, how
        case plans.FreeAggregate(kind=kind):
            return "", "", "aggregate", f"{kind}()", "no call"
        case _:
            assert_never(end)


def _agent(agent: plans.Agent) -> str:
    """`qwen`, `qwen.2`, or `alice=qwen` where the author chose a name: without spaces, so that no line breaks in it."""
    return agent.name if agent.name.partition(".")[0] == agent.model else f"{agent.name}={agent.model}"


def _role(role: str) -> str:
    """A role in a few words: its first sentence, without the `You are a` that most begin with."""
    sentence = re.split(r"(?<=[.!?])\s", role.strip(), maxsplit=1)[0]
    return one_line(re.sub(r"^You are (an? |the )?", "", sentence).rstrip("."), _FEW_WORDS)


def _sees(view: plans.View) -> str:
    match view.kind:
        case "all":
            return ""
        case "ring":
            return f"sees ring({view.distance})"
        case "named":
            return f"sees [{', '.join(view.names)}]"
        case "none" | "own" | "peers":
            return f"sees {view.kind}"
        case _:
            assert_never(view.kind)


def _judge(judge: plans.Judge) -> str:
    match judge.by:
        case plans.ModelJudge(kind="rank", call=call):
            return call.model
        case plans.ModelJudge(kind=kind, call=call):
            return f"{kind}({call.model})"
        case plans.FreeJudge(kind=kind):
            return f"{kind}({_seed(judge.by)})"
        case _:
            assert_never(judge.by)


def _seed(drawn: plans.FreeJudge | plans.Activate) -> str:
    return "" if drawn.seed is None else str(drawn.seed)


def _keeps(judge: plans.Judge, agents: int) -> str:
    words = ["keeps all" if judge.keep is None else f"keeps {judge.keep} of {agents}"]
    words += [f"criteria: {one_line(judge.criteria, _FEW_WORDS)}"] * bool(judge.criteria)
    words += [f"min_score {judge.min_score:g}"] if judge.min_score is not None else []
    words += [f"dedupe {judge.dedupe:g}"] if judge.dedupe is not None else []
    words += ["with feedback"] * judge.feedback
    if isinstance(judge.by, plans.ModelJudge):
        words += [_template(judge.by.call), f"otherwise {judge.otherwise}"]
    return "; ".join(filter(None, words))


def _template(call: plans.Call) -> str:
    return "" if call.template.startswith("built-in ") else f"template {call.template}"


# ---- conditions, written back in the language's words


def rule(stop: plans.Stop) -> str:
    return f"stop {'pipeline ' if stop.whole_pipeline else ''}when {written(stop.condition)}"


def written(condition: plans.Condition) -> str:
    match condition:
        case plans.Or(parts=parts):
            return " or ".join(map(written, parts))
        case plans.And(parts=parts):
            return " and ".join(_enclosed(part, plans.Or) for part in parts)
        case plans.Not(part=part):
            return f"not {_enclosed(part, (plans.Or, plans.And))}"
        case plans.Compare(measure=measure, operator=operator, value=value):
            return f"{measure} {operator} {f'{value:g}s' if measure == 'spent.time' else f'{value:_.10g}'}"
        case plans.Moderator(call=call):
            own = "" if call.template.startswith("built-in ") else f", {call.template}"
            return f"moderator({call.model}{own})"
        case plans.Constant(value=value):
            return str(value).lower()
        case _:
            assert_never(condition)


def _enclosed(part: plans.Condition, kinds: type | tuple[type, ...]) -> str:
    return f"({written(part)})" if isinstance(part, kinds) else written(part)


# ---- decisions


def _decisions(decisions: Sequence[plans.Decision]) -> Table:
    table = _grid()
    for made in decisions:
        table.add_row(_cell(f"  {made.pass_name}"), _cell(f"{made.message} ({made.origin})"))
    return table


def _grid(*heads: str) -> Table:
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(heads))
    for column in table.columns:
        column.overflow = "fold"
    return table


def _cell(text: str) -> Text:
    """Never markup, and nothing that steers a terminal: names and roles come from files."""
    return Text(printable(text))
