"""Testing, to turn a `test` into what it means: who replies what, with which faults, and what is expected."""

from collections.abc import Collection, Mapping
from typing import Literal

from smoadsl.diagnostics.source import Span
from smoadsl.language import checked, nodes, pipeline_problems, problems, rules
from smoadsl.language.expecting import Expectations
from smoadsl.language.resolve import Names

FAULTS = ("timeout", "reset", "cut", "stalled", "empty", "refused", "length", "garbage")
_STATUSES = range(400, 600)
_VERDICTS = ("judge", "moderator", "router")
_DUE = {
    "judge": "`[a, b]` (best first), `{ a = 5, b = 3 }` (scores), or a text for a verdict that can not be read",
    "moderator": "`true`, `false`, or a text for a verdict that can not be read",
    "router": "`[a, b]`, or a text for a verdict that can not be read",
    "reply": "a text, or a fault such as `error 429`",
}
Kind = Literal["agent", "any", "judge", "moderator", "router", "aggregate"]


def read_test(names: Names, pipelines: Mapping[str, checked.Pipeline], node: nodes.Test) -> checked.Test | None:
    """The test, where its pipeline could be read; a pipeline with problems has been spoken of already."""
    found = names.find(node.pipeline.text, node.pipeline.span, (nodes.Pipeline,), "pipeline")
    pipeline = pipelines.get(node.pipeline.text) if found else None
    if pipeline is None:
        return None
    before = len(names.said)
    prompts = tuple(s.text.value for s in node.statements if isinstance(s, nodes.Prompt))
    fields: dict[str, object] = {}
    for statement in node.statements:
        if isinstance(statement, nodes.Input):
            fields |= rules.anything(names, statement.fields) or {}
    replies = [_reply(names, pipeline, s) for s in node.statements if isinstance(s, nodes.Reply)]
    kept = {agent.name for layer in pipeline.layers for agent in layer.agents}
    expectations = Expectations(names, kept)
    read = [(s.span, expectations.read(s.condition)) for s in node.statements if isinstance(s, nodes.Expect)]
    expects = tuple(nodes.Expect(span, condition) for span, condition in read if condition)
    if not prompts and not names.lost(node, "prompt"):
        names.said.append(pipeline_problems.no_prompt(node.title.span))
    if len(names.said) > before:
        return None
    whole = tuple(reply for reply in replies if reply)
    return checked.Test(node.title.value, pipeline, prompts, fields, whole, expects, node.span)


def agents_of(pipeline: checked.Pipeline) -> list[checked.Agent]:
    """All agents, those of pipelines that are agents included."""
    agents: dict[str, checked.Agent] = {}
    pending, seen = [pipeline], {pipeline.name}
    while pending:
        for layer in pending.pop().layers:
            for agent in layer.agents:
                agents.setdefault(agent.name, agent)
                if isinstance(agent.target, checked.Pipeline) and agent.target.name not in seen:
                    seen.add(agent.target.name)
                    pending.append(agent.target)
    return list(agents.values())


def _reply(names: Names, pipeline: checked.Pipeline, node: nodes.Reply) -> checked.Reply | None:
    layers = {layer.name for layer in pipeline.layers}
    known = _recipients(pipeline)
    parts = node.who
    layer = ""
    if len(parts) > 1 and parts[0] in layers and ".".join(parts) not in known:
        layer, parts = parts[0], parts[1:]
    name = ".".join(parts)
    kind: Kind
    match name:
        case "*":
            kind = "any"
        case "judge" | "moderator" | "router" | "aggregate" if name not in known:
            kind = name
        case _:
            kind = "agent"
            if name not in known:
                who = Span(node.span.source, node.span.start + len("reply "), node.span.end)
                at = who.text.find(name)
                span = Span(who.source, who.start + max(at, 0), who.start + max(at, 0) + len(name))
                listed = [*known, "*", "judge", "moderator", "router", "aggregate"]
                names.said.append(pipeline_problems.unknown_recipient(span, name, listed))
                return None
    after_s = rules.duration(names, node.after) if node.after else 0.0
    outcome = _outcome(names, kind, node, [agent.name for agent in agents_of(pipeline)])
    if after_s is None or outcome is None:
        return None
    return checked.Reply(kind, layer, name if kind == "agent" else "", after_s, outcome, node.span)


def _recipients(pipeline: checked.Pipeline) -> set[str]:
    """Agents and models of a pipeline; the plain name of several agents means each of them."""
    agents = agents_of(pipeline)
    answering = [agent.target for agent in agents if isinstance(agent.target, checked.Model)]
    inner = [agent.target for agent in agents if isinstance(agent.target, checked.Pipeline)]
    for end in (one.aggregate for one in (pipeline, *inner)):
        answering += [end.model] if isinstance(end, checked.ModelAggregate) else []
    models = {one.name for model in answering for one in (model, *model.fallbacks)}
    return models | {agent.name for agent in agents} | {agent.name.partition(".")[0] for agent in agents}


def _agent(names: Names, node: nodes.Node, name: str, agents: Collection[str]) -> str:
    """An agent that a scripted verdict names must be one of the pipeline's."""
    if name not in agents:
        names.said.append(pipeline_problems.unknown_recipient(node.span, name, agents))
    return name


def _outcome(
    names: Names, kind: Kind, node: nodes.Reply, agents: Collection[str]
) -> str | checked.Fault | tuple[str, ...] | Mapping[str, float] | bool | None:
    match node.outcome:
        case nodes.Text(value=text):
            return text
        case nodes.Error() as error:
            return _fault(names, error)
        case nodes.List(items=items) if kind in ("judge", "router"):
            return tuple(_agent(names, item, _name(item), agents) for item in items)
        case nodes.Object(settings=settings) if kind == "judge":
            for setting in settings:
                _agent(names, setting.key, setting.key.text, agents)
            scores = {s.key.text: rules.number(1, 5)(names, s.value) for s in settings}
            return {name: score for name, score in scores.items() if score is not None}
        case nodes.Bool(value=value) if kind == "moderator":
            return value
        case _:
            whom = f"the {kind}" if kind in _VERDICTS else "an agent"
            due = _DUE[kind if kind in _VERDICTS else "reply"]
            names.said.append(pipeline_problems.wrong_reply(node.outcome.span, whom, due))
            return None


def _name(item: nodes.Value) -> str:
    """An agent in a verdict: a name, or a text for one with a dot in it (`"fast.2"`)."""
    if isinstance(item, nodes.Ref):
        return item.name
    return item.value if isinstance(item, nodes.Text) else item.span.text


def _fault(names: Names, node: nodes.Error) -> checked.Fault | None:
    if isinstance(node.kind, int):
        if node.kind in _STATUSES:
            return checked.Fault(node.kind)
        names.said.append(problems.out_of_range(node.span, "a status from 400 to 599"))
    elif node.kind in FAULTS:
        return checked.Fault(node.kind)
    else:
        names.said.append(problems.unknown_function(node.span, node.kind, "fault", FAULTS))
    return None
