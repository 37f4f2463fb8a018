"""Lower, to turn a checked pipeline into a plan: objects become names, settings are merged, defaults filled in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, assert_never, cast

from smoadsl.adapters.base import Sampling
from smoadsl.builtins.prompts import built_in
from smoadsl.builtins.providers import untaken
from smoadsl.calls.prices import listed
from smoadsl.calls.route import Provider, Route
from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span
from smoadsl.language import checked
from smoadsl.language.settings import SIMULATED
from smoadsl.plan import plan as plans

_SEED = 0  # of a simulated model: mixed with agent and round, so that equal models do not answer alike
_SAMPLING = frozenset(field.name for field in fields(Sampling))
_FRACTIONS = frozenset(("temperature", "top_p", "min_p", "frequency_penalty", "presence_penalty"))


Place = tuple[str, str, str]  # a call's origin, model and template


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan, and where in the text each of its calls is asked for."""

    plan: plans.Plan
    spans: Mapping[Place, Span]

    def span(self, call: plans.Call) -> Span:
        return self.spans[call.origin, call.model, call.template]


def lower(pipeline: checked.Pipeline) -> Lowered:
    """The plan of a pipeline as it is written, before anything is made cheaper."""
    lowering = _Lowering()
    body = lowering.pipeline(pipeline)
    made = plans.Plan(
        pipeline=body,
        recipes=tuple(lowering.recipes.values()),
        providers=lowering.providers,
        templates=lowering.templates,
    )
    return Lowered(made, lowering.spans)


def lower_recipes(recipes: Sequence[checked.Recipe]) -> plans.Making:
    """What is needed to make the lists of roles that no lock has as they are written."""
    lowering = _Lowering()
    for recipe in recipes:
        if not recipe.locked:
            lowering.recipe(recipe)
    return plans.Making(
        recipes=tuple(lowering.recipes.values()), providers=lowering.providers, templates=lowering.templates
    )


class _Lowering:
    def __init__(self) -> None:
        self.providers: dict[str, Provider] = {}
        self.recipes: dict[str, plans.Recipe] = {}
        self.templates: dict[str, str] = {"built-in repair": built_in("repair")}
        self.spans: dict[Place, Span] = {}
        self._routes: dict[object, tuple[Route, ...]] = {}

    def call(
        self,
        model: checked.Model,
        template: checked.Template | None,
        default: str,
        span: Span,
        overrides: Mapping[str, Any],
        **defaults: Any,
    ) -> plans.Call:
        """A call of the model: its settings, under the defaults of the place, under the block written there."""
        name = template.name if template else f"{plans.BUILT_IN}{default}"
        self.templates[name] = template.text if template else built_in(default)
        routes = self.routes(model, overrides, defaults)
        call = plans.Call(model=model.name, routes=routes, template=name, origin=span.origin)
        self.spans.setdefault((call.origin, call.model, name), span)
        return call

    def routes(
        self, model: checked.Model, overrides: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> tuple[Route, ...]:
        """The routes of a model and of its fallbacks: worked out once for all places that say nothing of their own."""
        key = model.name, tuple(defaults)
        if not overrides and key in self._routes:
            return self._routes[key]
        passed_on = {"fallback_on_refusal": model.settings.get("fallback_on_refusal", False)}  # by all of its routes
        own = self.route(model, {**model.settings, **defaults, **overrides})
        others = tuple(self.route(other, {**other.settings, **defaults, **passed_on}) for other in model.fallbacks)
        if not overrides:
            self._routes[key] = (own, *others)
        return own, *others

    def route(self, model: checked.Model, settings: Mapping[str, Any]) -> Route:
        self.providers[model.provider.name] = model.provider
        sampling = _sampling(model, settings)
        reads, written = _of_the_row(model)
        known = listed(model.provider, model.id)
        price, context = settings.get("price"), settings.get("context")
        return Route(
            model.provider.name,
            model.id,
            sampling,
            timeout_s=settings.get("timeout"),
            ttft_s=settings.get("ttft"),
            retries=settings.get("retries"),
            price=price or (known.price if known else None),
            hedge_s=settings.get("hedge"),
            length=settings.get("length", "accept"),
            context=context or (known.context if known else None),
            reads=reads,
            written=written,
            fallback_on_refusal=settings.get("fallback_on_refusal", False),
        )

    def pipeline(self, pipeline: checked.Pipeline) -> plans.Pipeline:
        return plans.Pipeline(
            name=pipeline.name,
            answer=pipeline.answer,
            layers=tuple(
                self.layer(layer, pipeline.layers[number:]) for number, layer in enumerate(pipeline.layers, 1)
            ),
            aggregate=self.aggregate(pipeline.aggregate),
            budget=pipeline.budget,
            origin=pipeline.span.origin,
        )

    def layer(self, layer: checked.Layer, following: Sequence[checked.Layer]) -> plans.Layer:
        return plans.Layer(
            name=layer.name,
            rounds=layer.rounds,
            when=self.condition(layer.when, layer.span) if layer.when else None,
            agents=tuple(self.agent(agent) for agent in layer.agents),
            activate=self.activate(layer.activate) if layer.activate else None,
            quorum=self.quorum(layer.quorum) if layer.quorum else None,
            judge=self.judge(layer.judge, layer, following) if layer.judge else None,
            stops=tuple(self.stop(stop) for stop in layer.stops),
            origin=layer.span.origin,
        )

    def agent(self, agent: checked.Agent) -> plans.Agent:
        view = plans.View(kind=agent.view.kind, distance=agent.view.distance, names=agent.view.names)
        does: plans.Call | plans.Pipeline
        about = ""
        match agent.target:
            case checked.Model() as model:
                does = self.call(model, agent.template, "propose", agent.span, agent.overrides)
                about = str(model.settings.get("about", ""))
            case checked.Pipeline() as inner:
                does = self.pipeline(inner)
            case _:
                assert_never(agent.target)
        role = agent.role.text if agent.role else ""
        if agent.role and agent.role.recipe and not agent.role.recipe.locked:
            self.recipe(agent.role.recipe)
        return plans.Agent(
            name=agent.name, role=role, view=view, about=about or role, does=does, origin=agent.span.origin
        )

    def recipe(self, recipe: checked.Recipe) -> None:
        call = self.call(recipe.model, recipe.template, "roles", recipe.span, {})
        self.recipes[recipe.name] = plans.Recipe(
            name=recipe.name,
            call=call,
            n=recipe.n,
            dataset=recipe.dataset,
            task=recipe.task,
            fingerprint=recipe.fingerprint,
            file=recipe.span.source.name,
        )

    def activate(self, activate: checked.Activate) -> plans.Activate:
        router = None
        if activate.router:
            router = self.call(activate.router, activate.template, "router", activate.span, {}, temperature=0.0)
        return plans.Activate(count=activate.count, router=router, seed=activate.seed, origin=activate.span.origin)

    def quorum(self, quorum: checked.Quorum) -> plans.Quorum:
        return plans.Quorum(count=quorum.count, after_s=quorum.after_s, origin=quorum.span.origin)

    def judge(self, judge: checked.Judge, layer: checked.Layer, following: Sequence[checked.Layer]) -> plans.Judge:
        read_after = bool(following) and (
            any(reads_scores(condition) for condition in _decided_by_this(following))
            or any(stop.whole_pipeline and reads_scores(stop.condition) for stop in layer.stops)
        )
        read_between = judge.feedback or any(reads_scores(stop.condition) for stop in layer.stops)
        by: plans.ModelJudge | plans.FreeJudge
        match judge.by:
            case checked.ModelJudge(kind, model):
                call = self.call(model, judge.template, kind, judge.span, judge.overrides, temperature=0.0)
                by = plans.ModelJudge(kind=kind, call=call)
            case checked.FreeJudge(kind, seed):
                by = plans.FreeJudge(kind=kind, seed=seed)
            case _:
                assert_never(judge.by)
        return plans.Judge(
            by=by,
            keep=judge.keep,
            criteria=judge.criteria,
            min_score=None if judge.min_score is None else float(judge.min_score),
            dedupe=judge.dedupe,
            feedback=judge.feedback,
            shuffle=judge.shuffle,
            otherwise=judge.otherwise,
            fuse=judge.fuse,
            is_read=judge.min_score is not None or read_after,
            is_read_between=read_between,
            origin=judge.span.origin,
        )

    def stop(self, stop: checked.Stop) -> plans.Stop:
        condition = self.condition(stop.condition, stop.span)
        return plans.Stop(whole_pipeline=stop.whole_pipeline, condition=condition, origin=stop.span.origin)

    def condition(self, condition: checked.Condition, span: Span) -> plans.Condition:
        match condition:
            case checked.Or(parts):
                return plans.Or(parts=tuple(self.condition(part, span) for part in parts))
            case checked.And(parts):
                return plans.And(parts=tuple(self.condition(part, span) for part in parts))
            case checked.Not(part):
                return plans.Not(part=self.condition(part, span))
            case checked.Compare(measure, operator, value):
                return plans.Compare(measure=measure, operator=cast("Any", operator), value=value)
            case checked.Moderator(model, template):
                return plans.Moderator(call=self.call(model, template, "moderator", span, {}, temperature=0.0))
            case checked.Constant(value):
                return plans.Constant(value=value)
            case _:
                assert_never(condition)

    def aggregate(
        self, end: checked.ModelAggregate | checked.FreeAggregate
    ) -> plans.ModelAggregate | plans.FreeAggregate:
        match end:
            case checked.ModelAggregate():
                call = self.call(end.model, end.template, "aggregate", end.span, end.overrides)
                output = dict(end.output) if end.output is not None else None
                return plans.ModelAggregate(call=call, stream=end.stream, output=output, otherwise=end.otherwise)
            case checked.FreeAggregate():
                return plans.FreeAggregate(kind=end.kind, origin=end.span.origin)
            case _:
                assert_never(end)


def _decided_by_this(following: Sequence[checked.Layer]) -> Iterator[checked.Condition]:
    """The `when` of each layer that follows and may find no later round to speak of: those between were skipped."""
    for layer in following:
        if layer.when is None:
            return
        yield layer.when


def reads_scores(condition: checked.Condition) -> bool:
    match condition:
        case checked.Or(parts) | checked.And(parts):
            return any(reads_scores(part) for part in parts)
        case checked.Not(part):
            return reads_scores(part)
        case checked.Compare(measure):
            return measure.startswith("score.")
        case checked.Moderator() | checked.Constant():
            return False
        case _:
            assert_never(condition)


def _sampling(model: checked.Model, settings: Mapping[str, Any]) -> Sampling:
    """How responses are drawn, without what the provider would refuse. What was written for this very model and would
    be refused has been told; what is left here are our defaults, and what was written for a model that it stands for.
    """
    given = {name: value for name, value in settings.items() if name in _SAMPLING}
    given |= {name: float(given[name]) for name in given.keys() & _FRACTIONS}
    refused = untaken(model.provider.adapter, model.provider.base_url, model.id, given)
    if model.provider.adapter == "simulated":
        given = {"seed": _SEED} | given | {"extra": {**given.get("extra", {}), **_traits(settings)}}
    return Sampling(**{name: value for name, value in given.items() if name not in refused})


def _traits(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a simulated model is like, as its adapter calls it."""
    traits = {name: settings[name] for name in SIMULATED if name in settings}
    return {"latency_s" if name == "latency" else name: value for name, value in traits.items()}


def _of_the_row(model: checked.Model) -> tuple[tuple[str, ...], bool]:
    """Which fields of the row the model's adapter is given, and whether the answer is one of them."""
    match model.provider.adapter:
        case "simulated":
            return ("answer", "wrong"), False
        case "input":
            return (model.id,), True
        case _:
            return (), False
