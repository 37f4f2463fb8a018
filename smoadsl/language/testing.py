"""Testing, to turn a `test` into what it means: who replies what, with which faults, and what is expected."""

from collections.abc import Iterable, Mapping, Sequence
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


def read_test(
    names: Names, pipelines: Mapping[str, checked.Pipeline], casts: "Casts", node: nodes.Test
) -> checked.Test | None:
    """The test, where its pipeline could be read. Of one with problems, which have been told, nobody knows who plays in
    it: then all else of the test is checked."""
    found = names.find(node.pipeline.text, node.pipeline.span, (nodes.Pipeline,), "pipeline")
    pipeline = pipelines.get(node.pipeline.text) if found else None
    before = len(names.said)
    prompts = tuple(s.text.value for s in node.statements if isinstance(s, nodes.Prompt))
    fields: dict[str, object] = {}
    for statement in node.statements:
        if isinstance(statement, nodes.Input):
            fields |= rules.anything(names, statement.fields) or {}
    cast = casts.of(pipeline) if pipeline else None
    replies = [_reply(names, cast, s) for s in node.statements if isinstance(s, nodes.Reply)]
    expectations = Expectations(names, cast[0].agents if cast else None)
    read = [(s.span, expectations.read(s.condition)) for s in node.statements if isinstance(s, nodes.Expect)]
    expects = tuple(nodes.Expect(span, condition) for span, condition in read if condition)
    if not prompts and not names.lost(node, "prompt"):
        names.said.append(pipeline_problems.no_prompt(node.title.span))
    if pipeline is None or len(names.said) > before:
        return None
    whole = tuple(reply for reply in replies if reply)
    return checked.Test(node.title.value, pipeline, prompts, fields, whole, expects, node.span)


class Cast:
    """Who plays in a pipeline, less those in pipelines that are agents of it."""

    def __init__(self, pipeline: checked.Pipeline) -> None:
        agents = [agent for layer in pipeline.layers for agent in layer.agents]
        answering = [agent.target for agent in agents if isinstance(agent.target, checked.Model)]
        if isinstance(pipeline.aggregate, checked.ModelAggregate):
            answering.append(pipeline.aggregate.model)
        models = {id(model): model for model in answering}.values()
        self.layers = {layer.name for layer in pipeline.layers}
        self.agents = {agent.name for agent in agents}
        self.inner = {a.target.name: a.target for a in agents if isinstance(a.target, checked.Pipeline)}
        self.recipients = self.agents | {name.partition(".")[0] for name in self.agents}
        self.recipients |= {one.name for model in models for one in (model, *model.fallbacks)}


class Casts:
    """The casts of pipelines, worked out once."""

    def __init__(self) -> None:
        self._own: dict[str, Cast] = {}

    def of(self, pipeline: checked.Pipeline) -> list[Cast]:
        """The cast of a pipeline, and those of the pipelines that are agents in it, each once."""
        found: dict[str, Cast] = {}
        pending = [pipeline]
        while pending:
            one = pending.pop()
            if one.name not in found:
                found[one.name] = self._own[one.name] = self._own.get(one.name) or Cast(one)
                pending += found[one.name].inner.values()
        return list(found.values())


def _reply(names: Names, cast: Sequence[Cast] | None, node: nodes.Reply) -> checked.Reply | None:
    """`cast` is None where nobody knows who plays."""

    def known(name: str) -> bool:
        return any(name in one.recipients for one in cast or ())

    parts = node.who
    layer = ""
    if cast is None:
        parts = parts[-1:] if parts[-1] in _VERDICTS else parts
    elif len(parts) > 1 and any(parts[0] in one.layers for one in cast) and not known(".".join(parts)):
        layer, parts = parts[0], parts[1:]
    name = ".".join(parts)
    kind: Kind
    match name:
        case "*":
            kind = "any"
        case "judge" | "moderator" | "router" | "aggregate" if not known(name):
            kind = name
        case _:
            kind = "agent"
            if cast is not None and not known(name):
                who = Span(node.span.source, node.span.start + len("reply "), node.span.end)
                at = who.text.find(name)
                span = Span(who.source, who.start + max(at, 0), who.start + max(at, 0) + len(name))
                verdicts = ["*", "judge", "moderator", "router", "aggregate"]
                listed = _all(verdicts, *(one.recipients for one in cast)) if names.helps else ()
                names.said.append(pipeline_problems.unknown_recipient(span, name, listed))
                return None
    after_s = rules.duration(names, node.after) if node.after else 0.0
    outcome = _outcome(names, kind, node, cast)
    if after_s is None or outcome is None:
        return None
    return checked.Reply(kind, layer, name if kind == "agent" else "", after_s, outcome, node.span)


def _all(*groups: Iterable[str]) -> set[str]:
    return set().union(*groups)


def _agent(names: Names, node: nodes.Node, name: str, cast: Sequence[Cast] | None) -> str:
    """An agent that a scripted verdict names must be one of the pipeline's."""
    if cast is not None and not names.lost(node) and not any(name in one.agents for one in cast):
        known = _all(*(one.agents for one in cast)) if names.helps else ()
        names.said.append(pipeline_problems.unknown_recipient(node.span, name, known))
    return name


def _outcome(
    names: Names, kind: Kind, node: nodes.Reply, cast: Sequence[Cast] | None
) -> str | checked.Fault | tuple[str, ...] | Mapping[str, float] | bool | None:
    match node.outcome:
        case nodes.Text(value=text):
            return text
        case nodes.Error() as error:
            return _fault(names, error)
        case nodes.List(items=items) if kind in ("judge", "router"):
            return tuple(_agent(names, item, _name(item), cast) for item in items)
        case nodes.Object() as block if kind == "judge":
            settings = list(rules.each_once(names, block))
            for setting in settings:
                _agent(names, setting.key, setting.key.text, cast)
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
