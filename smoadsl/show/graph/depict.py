"""Depict, to make the picture of a plan: what stands in it, in which words, and how many of those that are alike."""

from collections.abc import Iterator, Sequence
from itertools import count, groupby, pairwise

from smoadsl.plan import plan as plans
from smoadsl.show import words
from smoadsl.show.graph.picture import Edge, Group, Node, Picture, nodes_in
from smoadsl.show.safe import counted, one_line

_MOST_APART = 12  # agents of a layer; in a larger one, those that are alike share a node
_MOST_NODES = 24  # of a layer's agents; the rest are one node that says how many they are
_MOST_ABOUT = 300  # characters of a text that is told in full


def depict(plan: plans.Plan) -> Picture:
    """The plan as a picture. It has no more edges than nodes and groups, however many agents read each other."""
    return _Artist(plan).picture()


class _Artist:
    """Gives ids, keeps the edges, and knows which pipelines it has drawn: one that comes again is told, not drawn."""

    def __init__(self, plan: plans.Plan) -> None:
        self._plan = plan
        self._ids = (f"n{number}" for number in count(1))
        self._edges: list[Edge] = []
        self._drawn: set[str] = set()

    def picture(self) -> Picture:
        pipeline = self._plan.pipeline
        form = words.answer_form(pipeline.answer)
        prompt = Node(next(self._ids), "prompt", "", "prompt")
        layers = self._parts(pipeline, prompt)
        answer = Node(next(self._ids), "answer", "", one_line(f"answer: {form}" if form else "answer", _MOST_ABOUT))
        self._edges.append(Edge(layers[-1].id, answer.id))
        whole = Group("whole", "pipeline", one_line(pipeline.name), "", (), (prompt, *layers, answer))
        models = tuple(dict.fromkeys(node.model for node in nodes_in(whole) if node.model))
        return Picture(whole.title, _caption(self._plan), whole, tuple(self._edges), models)

    def _parts(self, pipeline: plans.Pipeline, before: Node | None = None) -> tuple[Node | Group, ...]:
        """The layers and the aggregate, with the edges between them; `before` is what comes first."""
        self._drawn.add(pipeline.name)
        groups = [self._layer(layer, is_first=not number) for number, layer in enumerate(pipeline.layers)]
        parts: list[Node | Group] = [*groups, self._aggregate(pipeline.aggregate)]
        handed = [_handed_on(layer) for layer in pipeline.layers]
        if before is not None:
            self._edges.append(Edge(before.id, parts[0].id))
        self._edges += [Edge(one.id, two.id, label) for (one, two), label in zip(pairwise(parts), handed, strict=True)]
        for one, between, two in zip(parts, parts[1:], parts[2:], strict=False):
            if isinstance(between, Group) and between.is_optional:
                self._edges.append(Edge(one.id, two.id, "else", "past"))
        return tuple(parts)

    # ---- a layer

    def _layer(self, layer: plans.Layer, *, is_first: bool) -> Group:
        id_ = next(self._ids)
        before = [self._activate(layer.activate, len(layer.agents))] if layer.activate else []
        agents = self._agents(layer, shows_views=not is_first or layer.rounds > 1)
        after = [self._quorum(layer, layer.quorum)] if layer.quorum else []
        after += [self._judge(layer.judge, plans.active(layer))] if layer.judge else []
        after += [self._stop(stop) for stop in layer.stops]
        parts: tuple[Node | Group, ...] = (*before, agents, *after)
        self._edges += [Edge(one.id, two.id) for one, two in pairwise(parts)]
        if layer.rounds > 1:
            again = "round 2" if layer.rounds == 2 else f"rounds 2 to {layer.rounds:,}"
            self._edges.append(Edge(parts[-1].id, agents.id, again, "again"))
        rounds = "" if layer.rounds == 1 else f"{words.rounds(layer)} rounds"
        when = (f"only when {words.written(layer.when)}",) if layer.when else ()
        return Group(id_, "layer", one_line(layer.name), rounds, when, parts, is_optional=layer.when is not None)

    def _agents(self, layer: plans.Layer, *, shows_views: bool) -> Group:
        id_ = next(self._ids)
        alike = _alike(layer.agents)
        shown = alike if len(alike) <= _MOST_NODES else alike[: _MOST_NODES - 1]
        parts: list[Node | Group] = [self._agent(agents, shows_views) for agents in shown]
        if rest := sum(map(len, alike[len(shown) :])):
            parts.append(Node(next(self._ids), "agent", "", f"and {rest:,} more agents", copies=rest))
        return Group(id_, "agents", "", "", (), tuple(parts))

    def _agent(self, agents: Sequence[plans.Agent], shows_views: bool) -> Node | Group:
        agent, copies = agents[0], len(agents)
        base = agent.name.partition(".")[0]
        name = one_line(agent.name if copies == 1 else f"{base} × {copies:,}")
        asked = "" if base == agent.model else one_line(agent.model)
        way = [words.few(agent.role), words.sees(agent.view) if shows_views else ""]
        if isinstance(agent.does, plans.Call):
            lines = _lines(asked, *way, words.template(agent.does))
            about = _about(_routes(agent.does), agent.role)
            return Node(next(self._ids), "agent", "", name, lines, about, agent.model, copies)
        if agent.does.name in self._drawn:
            lines = _lines(f"pipeline {agent.model}, drawn before", *way)
            return Node(next(self._ids), "agent", "", name, lines, _about(agent.role), copies=copies)
        note = f"pipeline {asked}".rstrip()
        return Group(next(self._ids), "pipeline", name, note, _lines(*way), self._parts(agent.does))

    # ---- gates, rules and the end

    def _activate(self, gate: plans.Activate, agents: int) -> Node:
        title = f"{gate.count} of {agents}"
        lines = (one_line(f"by {words.chosen_by(gate)}"),)
        model = gate.router.model if gate.router else ""
        return Node(next(self._ids), "activate", "activate", title, lines, _asked(gate.router), model)

    def _quorum(self, layer: plans.Layer, gate: plans.Quorum) -> Node:
        after = (f"after {gate.after_s:g} s",) if gate.after_s else ()
        return Node(next(self._ids), "quorum", "quorum", f"{gate.count} of {plans.active(layer)}", after)

    def _judge(self, judge: plans.Judge, agents: int) -> Node:
        call = judge.by.call if isinstance(judge.by, plans.ModelJudge) else None
        otherwise = f"otherwise {judge.otherwise}" if call and judge.otherwise != "consensus" else ""
        fused = "asks for the moderator too" if judge.fused else ""
        own = words.template(call) if call else ""
        lines = _lines(words.keeps(judge, agents), *words.thinned_by(judge), own, otherwise, fused)
        about = _about(_routes(call) if call else "", judge.criteria)
        return Node(
            next(self._ids), "judge", "judge", one_line(words.judge(judge)), lines, about, call.model if call else ""
        )

    def _stop(self, stop: plans.Stop) -> Node:
        lead = "stop pipeline" if stop.whole_pipeline else "stop"
        asked = plans.moderators(stop.condition)
        rule = one_line(f"when {words.written(stop.condition)}")
        return Node(
            next(self._ids), "stop", lead, "", (rule,), _about(*(_routes(m.call) for m in asked)),
            asked[0].call.model if asked else "",
        )  # fmt: skip

    def _aggregate(self, end: plans.Aggregate) -> Node:
        lines: tuple[str, ...] = ("no call",)
        call = None
        if isinstance(end, plans.ModelAggregate):
            call = end.call
            otherwise = f"otherwise {end.otherwise}" if end.otherwise != "best" else ""
            lines = _lines(words.template(call), "answers by a JSON schema" if end.output else "", otherwise)
        return Node(
            next(self._ids), "aggregate", "aggregate", one_line(words.aggregate(end)), lines, _asked(call),
            call.model if call else "",
        )  # fmt: skip


def _alike(agents: Sequence[plans.Agent]) -> list[list[plans.Agent]]:
    """Agents that share a node: samples of one pipeline, and in a large layer any that differ in their number alone."""

    def key(numbered: tuple[int, plans.Agent]) -> object:
        number, agent = numbered
        is_apart = len(agents) <= _MOST_APART and isinstance(agent.does, plans.Call)
        way = agent.does.template if isinstance(agent.does, plans.Call) else ""
        return number if is_apart else (agent.name.partition(".")[0], agent.model, agent.role, agent.view, way)

    return [[agent for _, agent in group] for _, group in groupby(enumerate(agents), key=key)]


def _handed_on(layer: plans.Layer) -> str:
    """How many of a round's responses go on, in words."""
    agents, judge = plans.active(layer), layer.judge
    most = agents if judge is None or judge.keep is None else judge.keep
    least = layer.quorum.count if layer.quorum else agents
    if judge is not None:
        fewer = least < most or judge.min_score is not None or judge.dedupe is not None or words.drops_outliers(judge)
        return f"{'at most ' * fewer}{most}{f' of {agents}' if most < agents else ''} go on"
    return f"{least} to {agents} responses" if least < agents else counted(agents, "response")


def _caption(plan: plans.Plan) -> str:
    if plan.bounds is None:
        return ""
    calls = plan.bounds.calls
    few = f"{calls.least:,} to {calls.full:,} calls" if calls.least < calls.full else counted(calls.full, "call")
    return few + (f", {calls.worst:,} at worst" if calls.worst > calls.full else "")


def _lines(*lines: str) -> tuple[str, ...]:
    return tuple(one_line(line) for line in lines if line)


def _about(*parts: str) -> str:
    return " — ".join(one_line(part, _MOST_ABOUT) for part in parts if part)


def _asked(call: plans.Call | None) -> str:
    return _about(_routes(call)) if call else ""


def _routes(call: plans.Call) -> str:
    """`together/a, else groq/b`: the model, and its fallbacks."""
    return ", else ".join(route.name for route in call.routes)


def in_words(picture: Picture) -> Iterator[str]:
    """The picture for those who can not see it: a sentence for each node of the outer pipeline, in reading order."""
    for part in picture.whole.parts:
        if isinstance(part, Node):
            yield _said(part)
            continue
        whole = [part.title, part.note, *part.lines]
        inside = [_said(node) for node in nodes_in(part)]
        yield f"layer {', '.join(filter(None, whole))}: {'; '.join(inside)}"


def _said(node: Node) -> str:
    return ", ".join(filter(None, [f"{node.lead} {node.title}".strip(), *node.lines]))
