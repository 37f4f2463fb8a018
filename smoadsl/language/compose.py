"""Compose, to turn the statements of a pipeline into what they mean, and say what does not fit together."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from smoadsl.builtins.answers import KINDS, AnswerForm
from smoadsl.calls.budget import Limits
from smoadsl.calls.prices import listed
from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span
from smoadsl.language import checked, nodes, pipeline_problems, problems, provider_problems, rules, settings
from smoadsl.language.agents import Room, names_of, read_agents
from smoadsl.language.brackets import MOST_NESTING
from smoadsl.language.conditions import Conditions, mentions_scores
from smoadsl.language.declare import Declarations
from smoadsl.language.extent import Extents
from smoadsl.language.judging import read_judge
from smoadsl.language.taken import say_untaken

S = TypeVar("S", bound=nodes.Node)
_PIPELINE_ORDER: Mapping[type[nodes.Node], str] = {
    nodes.Answer: "answer",
    nodes.Budget: "budget",
    nodes.Layer: "layer",
    nodes.Aggregate: "aggregate",
}
_LAYER_ORDER: Mapping[type[nodes.Node], str] = {
    nodes.Propose: "propose",
    nodes.Activate: "activate",
    nodes.Quorum: "quorum",
    nodes.Judge: "judge",
    nodes.Stop: "stop",
}


class Composer:
    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.names = declarations.names
        self.inner: set[str] = set()  # pipelines that are agents of others
        self._done: dict[str, checked.Pipeline | None] = {}
        self._open: list[str] = []  # the chain of pipelines being composed
        self._extents = Extents(self.names)
        self._models: dict[str, list[checked.Model]] = {}  # which each can ask
        self._room = Room()

    def pipeline(self, node: nodes.Pipeline) -> checked.Pipeline | None:
        """What a pipeline means, worked out once; None after something was said."""
        name = node.name.text
        if name not in self._done:
            self._open.append(name)
            self._done[name] = self._compose(node)
            self._open.pop()
        return self._done[name]

    def _as_agent(self, node: nodes.Pipeline, span: Span) -> checked.Pipeline | None:
        """A pipeline that another one makes an agent."""
        name = node.name.text
        if name in self._open:
            self.names.said.append(
                pipeline_problems.pipeline_cycle(span, [*self._open[self._open.index(name) :], name])
            )
            return None
        if len(self._open) >= MOST_NESTING and name not in self._done:
            self.names.said.append(problems.too_deep(span, MOST_NESTING))
            return None
        self.inner.add(name)
        return self.pipeline(node)

    def _compose(self, node: nodes.Pipeline) -> checked.Pipeline | None:
        said_before = len(self.names.said)
        written = _of(node.statements, nodes.Layer)
        layer_lost = self.names.lost(node, "layer", node.statements)
        self._in_order(node.statements, _PIPELINE_ORDER)
        answer = self._only(_of(node.statements, nodes.Answer), "answer", "this pipeline")
        form = self._answer(answer) if answer else AnswerForm()
        cap = self._only(_of(node.statements, nodes.Budget), "budget", "this pipeline")
        limits = self._budget(cap)
        layers = self._layers(written, layer_lost)
        aggregate = self._only(_of(node.statements, nodes.Aggregate), "aggregate", "this pipeline")
        end = self._aggregate(aggregate, written, layer_lost) if aggregate else None
        if aggregate is None and not self.names.lost(node, "aggregate", node.statements):
            self.names.said.append(pipeline_problems.no_aggregate(node.name.span, node.name.text))
        self._extents.add(node, layers)
        if end is None or form is None or len(layers) < len(written) or len(self.names.said) > said_before:
            return None
        if self.names.lost(node):
            return None
        limited = cap.settings.settings if cap else ()
        at = {one.key.text: self.names.where_set(one.value) or one.span for one in limited}
        pipeline = checked.Pipeline(node.name.text, form, tuple(layers), end, limits, node.span, at)
        if pipeline.budget.usd is not None and cap:
            self._priced(pipeline, cap)
        return pipeline if len(self.names.said) == said_before else None

    def _budget(self, node: nodes.Budget | None) -> Limits:
        read = rules.read_settings(self.names, node.settings if node else None, settings.BUDGET, "a budget")
        return Limits(read.get("usd"), read.get("tokens"), read.get("calls"), read.get("time"))

    def _priced(self, pipeline: checked.Pipeline, node: nodes.Budget) -> None:
        """A cap in dollars can be kept only where every model has a price."""
        at = next((s.span for s in node.settings.settings if s.key.text == "usd"), node.span)
        unpriced = [model.name for model in models_of(pipeline, self._models) if not self._has_price(model)]
        if unpriced:
            self.names.said.append(provider_problems.no_price(at, unpriced))

    def _has_price(self, model: checked.Model) -> bool:
        """Whether a model's price is written, also where it can not be read, or listed; that of a model which stands
        in for the written one is not."""
        node = self.names.declared[model.name]
        settings = node.settings.settings if isinstance(node, nodes.Model) and node.settings else ()
        written = any(setting.key.text == "price" for setting in settings) or self.names.lost(node, "price")
        is_swapped = f"{model.provider.name}/{model.id}" != model.written
        return (written and not is_swapped) or listed(model.provider, model.id) is not None

    def _layers(self, written: Sequence[nodes.Layer], lost: bool) -> list[checked.Layer]:
        """The layers of a pipeline, less those with problems. `lost`: another one could not be read."""
        layers: list[checked.Layer] = []
        first: dict[str, nodes.Layer] = {}
        seen: set[str] | None = None if lost else set()  # the agents whose responses can go on so far
        for place, statement in zip(self._places(written, lost), written, strict=True):
            name = statement.name
            if name.text in first:
                known = first[name.text].name.span
                self.names.said.append(pipeline_problems.name_taken(name.span, "layer", name.text, known))
            first.setdefault(name.text, statement)
            layer = self._layer(statement, place, seen)
            if layer is None:
                seen = None  # nobody can tell
                continue
            layers.append(layer)
            if seen is not None:
                seen = seen if layer.when else set()
                seen |= names_of(layer.agents)
        return layers

    # ---- the parts of a pipeline

    def _answer(self, node: nodes.Answer) -> AnswerForm | None:
        form = node.form
        name = form.name if isinstance(form, nodes.Ref) else form.name.text
        kind = next((kind for kind in KINDS if kind == name), None)
        if kind is None:
            self.names.said.append(problems.unknown_function(form.span, name, "form of answer", KINDS))
            return None
        args = form.args if isinstance(form, nodes.Call) else ()
        texts = tuple(text for arg in args if (text := rules.text(self.names, arg)) is not None)
        due = {"choice": (2, 1000, "two labels or more"), "json": (1, 1, "a field"), "regex": (1, 1, "a pattern")}
        low, high, words = due.get(kind, (0, 0, "nothing"))
        if not low <= len(args) <= high:
            self.names.said.append(problems.wrong_arguments(form.span, kind, words))
            return None
        if len(texts) < len(args) or (kind == "regex" and not self._good_pattern(args[0], texts[0])):
            return None
        return AnswerForm(kind, texts)

    def _good_pattern(self, node: nodes.Value, pattern: str) -> bool:
        try:
            re.compile(pattern)
        except re.error as error:
            self.names.said.append(problems.bad_pattern(node.span, str(error)))
            return False
        return True

    def _layer(self, node: nodes.Layer, place: "_Place", seen: Collection[str] | None) -> checked.Layer | None:
        self._in_order(node.statements, _LAYER_ORDER)
        rounds = rules.number(1, settings.MOST_ROUNDS, whole=True)(self.names, node.repeat) if node.repeat else 1
        proposes = _of(node.statements, nodes.Propose)
        where = f"layer `{node.name.text}`"
        lost = self.names.lost(node, "propose")
        if not proposes and not lost:
            self.names.said.append(pipeline_problems.empty_layer(node.name.span, node.name.text))
        agents, count = read_agents(self.declarations, self._as_agent, self._room, proposes, None if lost else seen)
        count = None if lost else count
        sparse = self._only(_of(node.statements, nodes.Activate), "activate", where)
        activate = self._activate(sparse, count) if sparse else None
        active = activate.count if activate else count
        waits = self._only(_of(node.statements, nodes.Quorum), "quorum", where)
        quorum = self._quorum(waits, active) if waits else None
        gate = self._only(_of(node.statements, nodes.Judge), "judge", where)
        stop_rules = _of(node.statements, nodes.Stop)
        scores_are_read = place.scores_are_read or any(mentions_scores(stop.condition) for stop in stop_rules)
        scores_are_read = scores_are_read or self.names.lost(node, "stop")
        judge = read_judge(self.declarations, gate, active, scores_are_read) if gate else None
        stops = self._stops(stop_rules, self._scores(node))
        when = None
        if node.when:
            if place.is_first:
                self.names.said.append(pipeline_problems.when_on_first(node.when.span))
            when = Conditions(self.declarations, place.has_scores).read(node.when)
        if rounds is None or not agents or stops is None or (gate and not judge) or (node.when and not when):
            return None
        return checked.Layer(node.name.text, rounds, when, tuple(agents), activate, quorum, judge, stops, node.span)

    def _activate(self, node: nodes.Activate, agents: int | None) -> checked.Activate | None:
        count = rules.number(1, settings.MOST_AGENTS, whole=True)(self.names, node.count)
        if count is not None and agents is not None and count > agents:
            self.names.said.append(
                pipeline_problems.too_many(node.count.span, "a gate can not activate", count, agents, agents)
            )
        gate = node.gate
        name = gate.name.text if isinstance(gate, nodes.Call) else gate.name
        args = gate.args if isinstance(gate, nodes.Call) else ()
        router: checked.Model | None = None
        template: checked.Template | None = None
        seed: int | None = None
        if name == "router" and 1 <= len(args) <= 2:
            router = self.declarations.model_of(args[0])
            named = rules.name(self.names, args[1], "a template") if len(args) == 2 else None
            template = self.declarations.template_for({"template": named}, "router")
            if router is None:
                return None
        elif name == "router":
            self.names.said.append(problems.wrong_arguments(gate.span, name, "a model, and a template if you like"))
            return None
        elif name == "random" and isinstance(gate, nodes.Call):
            seeds = [rules.number(0, whole=True)(self.names, arg) for arg in args]
            seed = seeds[0] if seeds else None
        else:
            self.names.said.append(problems.unknown_function(gate.span, name, "gate", ["router(MODEL)", "random()"]))
            return None
        return checked.Activate(count, router, template, seed, node.span) if count is not None else None

    def _quorum(self, node: nodes.Quorum, active: int | None) -> checked.Quorum | None:
        count = rules.number(1, settings.MOST_AGENTS, whole=True)(self.names, node.count)
        if count is not None and active is not None and count > active:
            self.names.said.append(
                pipeline_problems.too_many(node.count.span, "a quorum can not wait for", count, active, active)
            )
        after_s = rules.duration(self.names, node.after) if node.after else 0.0
        return None if count is None or after_s is None else checked.Quorum(count, after_s, node.span)

    def _stops(self, statements: Sequence[nodes.Stop], scored: bool) -> tuple[checked.Stop, ...] | None:
        conditions = Conditions(self.declarations, scored)
        read = [(s, conditions.read(s.condition)) for s in statements]
        stops = [checked.Stop(s.whole_pipeline, condition, s.span) for s, condition in read if condition]
        stops.sort(key=lambda stop: not stop.whole_pipeline)  # `stop pipeline` is looked at first
        return tuple(stops) if len(stops) == len(read) else None

    def _aggregate(
        self, node: nodes.Aggregate, layers: Sequence[nodes.Layer], layer_lost: bool
    ) -> checked.ModelAggregate | checked.FreeAggregate | None:
        gate = node.gate
        if isinstance(gate, nodes.Call):
            if gate.name.text not in ("vote", "best"):
                self.names.said.append(
                    problems.unknown_function(gate.name.span, gate.name.text, "aggregate", ["vote", "best"])
                )
                return None
            if gate.args:
                self.names.said.append(problems.wrong_arguments(gate.span, gate.name.text, "nothing"))
            if node.settings:
                rules.read_settings(self.names, node.settings, {}, f"`{gate.name.text}()`")
            if not layers and not layer_lost:
                self.names.said.append(pipeline_problems.nothing_to_aggregate(gate.span, gate.name.text))
            elif gate.name.text == "best" and layers and not self._ranks(layers[-1]):
                self.names.said.append(pipeline_problems.best_without_judge(gate.span))
            return checked.FreeAggregate("vote" if gate.name.text == "vote" else "best", node.span)
        read = rules.read_settings(self.names, node.settings, settings.AGGREGATE, "an aggregate")
        model = self.declarations.model_of(gate)
        template = self.declarations.template_for(read, "aggregate")
        output = self.declarations.schema(read["output"]) if "output" in read else None
        written = {s.key.text: s.key.span for s in node.settings.settings} if node.settings else {}
        if "output" in read and read.get("stream"):
            why = "an answer with `output` is shown only once it fits"
            self.names.said.append(problems.without_effect(written["stream"], "stream", "this aggregate", why))
        if "otherwise" in read and not layers and not layer_lost:
            why = "a pipeline without layers has no response that could stand in"
            self.names.said.append(problems.without_effect(written["otherwise"], "otherwise", "this aggregate", why))
        if model is None:
            return None
        say_untaken(self.names, model, node.settings, read)
        return checked.ModelAggregate(
            model,
            template,
            read.get("stream", True),
            output,
            read.get("otherwise", "best"),
            settings.of_the_call(read),
            node.span,
        )

    def _ranks(self, layer: nodes.Layer) -> bool:
        """Whether a layer has a judge, or one that could not be read."""
        return bool(_of(layer.statements, nodes.Judge)) or self.names.lost(layer, "judge")

    def _scores(self, layer: nodes.Layer) -> bool:
        """Whether a layer has a judge that scores, or one that could not be read."""
        gates = [judge.gate for judge in _of(layer.statements, nodes.Judge)]
        scored = any(isinstance(gate, nodes.Call) and gate.name.text == "score" for gate in gates)
        return scored or self.names.lost(layer, "judge")

    def _places(self, layers: Sequence[nodes.Layer], lost: bool) -> list["_Place"]:
        """The place of each layer. `lost`: there are others that could not be read, and none is known to be first."""
        has, read = [True] + [lost] * len(layers), [lost] * len(layers)  # before the first is no judge to speak of
        for i, before in enumerate(layers[:-1], 1):
            has[i] = lost or self._scores(before) or (before.when is not None and has[i - 1])
        for i, after in reversed(list(enumerate(layers[1:]))):
            read[i] = lost or (after.when is not None and (mentions_scores(after.when) or read[i + 1]))
        return [_Place(i == 0 and not lost, has[i], read[i]) for i in range(len(layers))]

    # ---- small things that several statements share

    def _in_order(self, statements: Sequence[nodes.Node], order: Mapping[type[nodes.Node], str]) -> None:
        ranks = list(order)
        latest: nodes.Node | None = None
        for statement in statements:
            if latest is not None and ranks.index(type(statement)) < ranks.index(type(latest)):
                at = statement.span
                word = order[type(statement)]
                keyword = Span(at.source, at.start, at.start + len(word))
                self.names.said.append(problems.out_of_order(keyword, word, order[type(latest)]))
            else:
                latest = statement

    def _only(self, statements: Sequence[S], what: str, where: str) -> S | None:
        for extra in statements[1:]:
            at = extra.span
            keyword = Span(at.source, at.start, at.start + len(what))
            self.names.said.append(pipeline_problems.stands_twice(keyword, what, where, statements[0].span))
        return statements[0] if statements else None


def _of(statements: Sequence[nodes.Node], kind: type[S]) -> list[S]:
    return [statement for statement in statements if isinstance(statement, kind)]


@dataclass(frozen=True, slots=True)
class _Place:
    """A layer among the others: whether scores go into its `when`, and whether a later `when` may read its scores. A
    layer that is skipped leaves both to its neighbours."""

    is_first: bool
    has_scores: bool
    scores_are_read: bool


def models_of(pipeline: checked.Pipeline, known: dict[str, list[checked.Model]]) -> list[checked.Model]:
    """Every model that a pipeline can ask, fallbacks and those of inner pipelines included, each once. `known` keeps
    those of each pipeline, for when they are asked for again."""
    if pipeline.name in known:
        return known[pipeline.name]
    found: dict[str, checked.Model] = {}

    def add(*models: checked.Model) -> None:
        for model in models:
            found.setdefault(model.name, model)
            found.update({other.name: other for other in model.fallbacks})

    def ask(condition: checked.Condition) -> None:
        match condition:
            case checked.And(parts) | checked.Or(parts):
                for part in parts:
                    ask(part)
            case checked.Not(part):
                ask(part)
            case checked.Moderator(model):
                add(model)
            case checked.Compare() | checked.Constant():
                pass

    for layer in pipeline.layers:
        for agent in layer.agents:
            add(*(models_of(agent.target, known) if isinstance(agent.target, checked.Pipeline) else (agent.target,)))
        if layer.judge and isinstance(layer.judge.by, checked.ModelJudge):
            add(layer.judge.by.model)
        if layer.activate and layer.activate.router:
            add(layer.activate.router)
        for condition in [stop.condition for stop in layer.stops] + ([layer.when] if layer.when else []):
            ask(condition)
    if isinstance(pipeline.aggregate, checked.ModelAggregate):
        add(pipeline.aggregate.model)
    known[pipeline.name] = list(found.values())
    return known[pipeline.name]
