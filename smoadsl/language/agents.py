"""Agents, to turn the propose lines of a layer into its agents: unfolded, named, with their roles dealt out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span
from smoadsl.language import checked, nodes, pipeline_problems, problems, rules, settings
from smoadsl.language.declare import Declarations
from smoadsl.language.taken import say_untaken

_TARGETS: tuple[type[nodes.Model] | type[nodes.Pipeline], ...] = (nodes.Model, nodes.Pipeline)
_ROLES: tuple[type[nodes.Role] | type[nodes.Roles], ...] = (nodes.Role, nodes.Roles)


Target = checked.Model | checked.Pipeline
PipelineOf = Callable[[nodes.Pipeline, Span], checked.Pipeline | None]  # a pipeline, and where it is made an agent


MOST_AGENTS_IN_ALL = 20_000  # of one run, and of all pipelines of a file set


@dataclass(slots=True)
class Room:
    """How many agents the pipelines of a file set have so far: `m * 1000` is short to write."""

    taken: int = 0

    def take(self, agents: int) -> bool:
        """Whether there is room for so many more."""
        self.taken += agents
        return self.taken <= MOST_AGENTS_IN_ALL


def read_agents(
    declarations: Declarations,
    pipeline_of: PipelineOf,
    room: Room,
    proposes: Sequence[nodes.Propose],
    seen: Collection[str] | None,
) -> tuple[list[checked.Agent] | None, int | None]:
    """The agents of a layer, None after something was said; and how many there are, also where some of them mean
    nothing, None where that is not known. `seen` are the agents before it whose responses can go on to it, as views
    name them; None where that is not known."""
    reader = _Agents(declarations, pipeline_of, room)
    agents = reader.read(proposes, seen)
    return agents, reader.count


class _Agents:
    def __init__(self, declarations: Declarations, pipeline_of: PipelineOf, room: Room) -> None:
        self.room = room
        self.declarations = declarations
        self.pipeline_of = pipeline_of
        self.names = declarations.names
        self.count: int | None = 0

    def read(self, proposes: Sequence[nodes.Propose], seen: Collection[str] | None) -> list[checked.Agent] | None:
        drafts: list[tuple[str, bool, checked.Agent]] = []
        said_before = len(self.names.said)
        for propose in proposes:
            read = rules.read_settings(self.names, propose.settings, settings.PROPOSE, "a propose line")
            template = self.declarations.template_for(read, "propose")
            view = self._view(propose.sees)
            line = [named for target in propose.targets for named in self._target(target)]
            self.count = None if self.count is None else self.count + len(line)
            dealt = len(line) if self.count is not None else 0
            roles = self._roles(propose.roles, dealt) if propose.roles else [None] * len(line)
            if len(roles) != len(line):
                continue
            if propose.settings and any(isinstance(target, checked.Pipeline) for _, _, target, _ in line):
                self.names.said.append(pipeline_problems.pipeline_block(propose.settings.span))
            for (name, own, target, span), role in zip(line, roles, strict=True):
                if target is None:
                    continue
                if isinstance(target, checked.Model):
                    say_untaken(self.names, target, propose.settings, read)
                agent = checked.Agent(name, target, role, view, template, settings.of_the_call(read), span)
                drafts.append((name, own, agent))
        if len(self.names.said) > said_before or len(drafts) != self.count:
            return None
        agents = self._named(drafts)
        if seen is not None:
            self._views_fit(proposes, names_of(agents), seen)
        return agents

    def _target(self, node: nodes.Target) -> list[tuple[str, bool, Target | None, Span]]:
        """The agents of one target as (name, whether the author gave it, what it means, place)."""
        times = rules.number(1, settings.MOST_AGENTS, whole=True)(self.names, node.times) if node.times else 1
        ref = nodes.Ref(node.name.span, node.name.text)
        value = self.names.value(ref)
        members = value.items if isinstance(value, nodes.List) else (value,)
        if not members:
            self.names.said.append(problems.wrong_type(ref.span, "a model or a list of models", "an empty list"))
            self.count = None
        found: list[tuple[str, bool, Target | None, Span]] = []
        for member in members:
            if not isinstance(member, nodes.Ref):
                rules.wrong_type(self.names, ref if member is value else member, "a model or pipeline")
                self.count = None
                return []
            declared = self.names.find(member.name, node.name.span, _TARGETS, "model or pipeline", member.span)
            target: Target | None = None
            if isinstance(declared, nodes.Model):
                target = self.declarations.declared_model(declared)
            elif isinstance(declared, nodes.Pipeline):
                target = self.pipeline_of(declared, node.name.span)
            if times is None or not self._fits(node, times):
                self.count = None
                return []
            name = node.alias.text if node.alias else member.name
            found += [(name, node.alias is not None, target, node.span)] * times
        return found

    def _fits(self, node: nodes.Target, times: int) -> bool:
        """Whether so many more agents may be; that they are too many is told where it happens first."""
        was_full = self.room.taken > MOST_AGENTS_IN_ALL
        fits = self.room.take(times)
        if not fits and not was_full:
            what = "the pipelines of these files have"
            self.names.said.append(
                pipeline_problems.too_large_to_run(
                    node.span, f"{what} {self.room.taken:,} agents; {MOST_AGENTS_IN_ALL:,} are the most"
                )
            )
        return fits

    def _named(self, drafts: Sequence[tuple[str, bool, checked.Agent]]) -> list[checked.Agent]:
        """Agents by their targets' names, `qwen.1` and `qwen.2` where a layer has several; a given name stands once."""
        counts = Counter(name for name, _, _ in drafts)
        seen: Counter[str] = Counter()
        first: dict[str, checked.Agent] = {}
        agents: list[checked.Agent] = []
        for name, given, agent in drafts:
            if given and name in first and first[name].span is not agent.span:
                self.names.said.append(pipeline_problems.name_taken(agent.span, "agent", name, first[name].span))
            first.setdefault(name, agent)
            seen[name] += 1
            agents.append(replace(agent, name=f"{name}.{seen[name]}") if counts[name] > 1 else agent)
        return agents

    def _roles(self, node: nodes.Ref | nodes.List, agents: int) -> list[checked.Role | None]:
        value = self.names.value(node)
        dealt: list[checked.Role | None] = []
        if isinstance(value, nodes.List):
            for number, item in enumerate(value.items, 1):
                if isinstance(item, nodes.Text):
                    dealt.append(checked.Role(f"role.{number}", item.value))
                    continue
                ref = rules.name(self.names, item, "a role, or a text,")
                role = self.names.find(ref.name, item.span, (nodes.Role,), "role") if ref else None
                dealt.append(self.declarations.role(role) if role else None)
        elif isinstance(value, nodes.Ref):
            found = self.names.find(value.name, node.span, _ROLES, "role")
            if isinstance(found, nodes.Role):
                return [self.declarations.role(found)] * agents
            roles = self.declarations.roles(found) if isinstance(found, nodes.Roles) else None
            dealt = [*roles] if roles is not None else [None] * agents
        else:
            rules.wrong_type(self.names, node, "a role or a list of roles")
            return [None] * agents
        if agents and len(dealt) != agents:
            self.names.said.append(pipeline_problems.roles_do_not_fit(node.span, len(dealt), agents))
        return dealt

    def _view(self, node: nodes.Ref | nodes.Call | nodes.List | None) -> checked.View:
        match self.names.value(node) if node else None:
            case None:
                return checked.View()
            case nodes.List():
                return checked.View("named", names=tuple(name for name, _ in self._listed(node)))
            case nodes.Ref(name="all" | "none" | "own" | "peers" as kind):
                return checked.View(kind)
            case nodes.Call() as call if call.name.text == "ring":
                due = "how many neighbours to each side"
                args = rules.arguments(self.names, call, due, rules.number(1, settings.MOST_AGENTS, whole=True))
                return checked.View("ring", distance=args[0] if args else 1)
            case nodes.Ref(name=word) | nodes.Call(name=nodes.Name(text=word)) as other:
                views = ["all", "none", "own", "peers", "ring(1)", "[AGENT]"]
                self.names.said.append(problems.unknown_function(other.span, word, "view", views))
            case _ if node:
                rules.wrong_type(self.names, node, "a view such as `peers`, or a list of agents,")
        return checked.View()

    def _listed(self, node: nodes.Value | None) -> list[tuple[str, Span]]:
        """The agents of a view that lists them, itself or through a param, and where each is written. One of several
        has a dot in its name, and so is a text: `["qwen.2"]`."""
        listed = self.names.value(node) if node else None
        found: list[tuple[str, Span]] = []
        for item in listed.items if isinstance(listed, nodes.List) else ():
            match self.names.value(item):
                case nodes.Ref(name=name) | nodes.Text(value=name):
                    found.append((name, item.span if listed is node or node is None else node.span))
                case _:
                    rules.wrong_type(self.names, item, "the name of an agent")
        return found

    def _views_fit(self, proposes: Sequence[nodes.Propose], own: Collection[str], seen: Collection[str]) -> None:
        """A view lists only agents that an agent can have read: of its own layer, and of those before it."""
        for name, span in (listed for propose in proposes for listed in self._listed(propose.sees)):
            if name not in own and name not in seen:
                self.names.said.append(
                    pipeline_problems.unknown_agent(span, name, {*own, *seen} if self.names.helps else ())
                )


def names_of(agents: Iterable[checked.Agent]) -> set[str]:
    """The names by which views may speak of agents: their own, and the plain one that several share."""
    return {name for agent in agents for name in (agent.name, agent.name.partition(".")[0])}
