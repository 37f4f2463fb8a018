"""Diff agents, to say what became of the agents of a layer: who came, who went, and who does what otherwise."""

from collections.abc import Iterator, Sequence

from smoadsl.plan import writing
from smoadsl.plan.diff_notes import Notes
from smoadsl.plan.matching import matched
from smoadsl.plan.plan import Agent, Call, Layer, Pipeline

_Pipelines = tuple[Pipeline, Pipeline]


def agents_differ(before: Layer, after: Layer, here: str, notes: Notes) -> Iterator[_Pipelines]:
    """Note it; the pipelines that are agents in both come back, to be compared in their turn."""
    samples = dict(_samples(before.agents, after.agents))
    old_agents, new_agents = (_one_of_each(layer.agents, samples) for layer in (before, after))
    pairs = matched(old_agents, new_agents, lambda agent: agent.name, _same, _near)
    roles: dict[tuple[str, str], list[str]] = {}
    for name, (was, is_) in samples.items():
        notes.differ(here, f"samples of {name}", was, is_)
    for old, new in pairs:
        if old is not None and new is not None:
            yield from _agent(old, new, here, notes)
            roles.setdefault((old.role, new.role), []).append(new.name)
    for gone in (True, False):
        names = [_in_short(one) for pair in pairs if (one := _alone(pair, gone)) is not None]
        if names:
            notes.differ(here, "agents", ", ".join(names) if gone else None, None if gone else ", ".join(names))
    for new in (one for pair in pairs if (one := _alone(pair, gone=False)) is not None):
        roles.setdefault(("", new.role), []).append(new.name)
    for (was_role, new_role), names in roles.items():
        notes.reads(f"role of {', '.join(names)}, {here}", was_role, new_role, is_role=True)
    stayed = [(old.name, new.name) for old, new in pairs if old and new]
    notes.reordered(here, "order of agents", [agent.name for agent in old_agents], stayed)


def _alone(pair: tuple[Agent | None, Agent | None], gone: bool) -> Agent | None:
    """The agent that only the one plan has: the earlier, if it is to be `gone`, or the later."""
    mine, other = pair if gone else (pair[1], pair[0])
    return mine if other is None else None


def _samples(before: Sequence[Agent], after: Sequence[Agent]) -> Iterator[tuple[str, tuple[int, int]]]:
    """The models that are sampled more or less often than before, all samples alike: how often they were, and are."""
    for base in dict.fromkeys(_base(agent) for agent in before):
        old, new = ([agent for agent in agents if _base(agent) == base] for agents in (before, after))
        if old and new and len(old) != len(new) and all(_same(old[0], agent) for agent in (*old, *new)):
            yield base, (len(old), len(new))


def _one_of_each(agents: Sequence[Agent], samples: dict[str, tuple[int, int]]) -> list[Agent]:
    """The agents, those that are only counted as one under their plain name."""
    found: dict[str, Agent] = {}
    for agent in agents:
        name = _base(agent) if _base(agent) in samples else agent.name
        found.setdefault(name, agent.model_copy(update={"name": name}))
    return list(found.values())


def _base(agent: Agent) -> str:
    return agent.name.partition(".")[0]


def _in_short(agent: Agent) -> str:
    match agent.does:
        case Call():
            return f"{agent.name} = {agent.does.routes[0].name}"
        case Pipeline():
            return f"{agent.name} = pipeline {agent.does.name}"


def _same(before: Agent, after: Agent) -> bool:
    """Whether they do the same, whatever they are called."""
    return _essence(before) == _essence(after)


def _essence(agent: Agent) -> tuple[object, ...]:
    does = agent.does
    asked = (does.routes, does.template) if isinstance(does, Call) else does.name
    return agent.role, agent.view, asked


def _near(before: Agent, after: Agent) -> bool:
    """Whether one took the other's place: it sees the same, in the same role."""
    return (before.role, before.view) == (after.role, after.view)


def _agent(before: Agent, after: Agent, layer: str, notes: Notes) -> Iterator[_Pipelines]:
    here = f"{layer}, {after.name}"
    old, new = before.does, after.does
    is_named_after_it = (_base(before), _base(after)) == (before.model, after.model)
    if not is_named_after_it:  # else the model's own change says it
        notes.renamed(here, "name", before.name, after.name)
    notes.differ(here, "sees", writing.view(before.view), writing.view(after.view))
    if isinstance(old, Call) and isinstance(new, Call):
        notes.asks(here, old, new)
    elif isinstance(old, Pipeline) and isinstance(new, Pipeline):
        yield old, new
    else:
        notes.differ(here, "by", _in_short(before), _in_short(after))
    about = (before.about, after.about)
    if about != (before.role, after.role):
        notes.reads(f"what a router is told of {after.name}, {layer}", *about)
