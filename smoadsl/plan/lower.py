"""Lower, to turn a checked pipeline into a plan: objects become names, settings are merged, defaults filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, assert_never, cast

from smoadsl.adapters.base import Sampling
from smoadsl.builtins.prompts import built_in
from smoadsl.builtins.providers import untaken
from smoadsl.calls.price import FREE
from smoadsl.calls.route import Provider, Route
from smoadsl.diagnostics.source import Span
from smoadsl.language import checked
from smoadsl.plan import plan

_SAMPLING = frozenset(field.name for field in fields(Sampling))


def lower(pipeline: checked.Pipeline) -> plan.Plan:
    """The plan of a pipeline as it is written, before anything is made cheaper."""
    lowering = _Lowering()
    body = lowering.pipeline(pipeline)
    return plan.Plan(
        pipeline=body,
        recipes=tuple(lowering.recipes.values()),
        providers=lowering.providers,
        templates=lowering.templates,
    )


def lower_recipes(recipes: Sequence[checked.Recipe]) -> plan.Making:
    """What is needed to make the lists of roles that no lock has as they are written."""
    lowering = _Lowering()
    for recipe in recipes:
        if not recipe.locked:
            lowering.recipe(recipe)
    return plan.Making(
        recipes=tuple(lowering.recipes.values()), providers=lowering.providers, templates=lowering.templates
    )


class _Lowering:
    def __init__(self) -> None:
        self.providers: dict[str, Provider] = {}
        self.recipes: dict[str, plan.Recipe] = {}
        self.templates: dict[str, str] = {"built-in repair": built_in("repair")}

    def call(
        self,
        model: checked.Model,
        template: checked.Template | None,
        default: str,
        span: Span,
        overrides: Mapping[str, Any],
        **defaults: Any,
    ) -> plan.Call:
        """A call of the model: its settings, under the defaults of the place, under the block written there."""
        name = template.name if template else f"{plan.BUILT_IN}{default}"
        self.templates[name] = template.text if template else built_in(default)
        own = self.route(model, {**model.settings, **_taken(model, defaults), **overrides})
        others = tuple(self.route(one, {**one.settings, **_taken(one, defaults)}) for one in model.fallbacks)
        return plan.Call(model=model.name, routes=(own, *others), template=name, origin=span.origin)

    def route(self, model: checked.Model, settings: Mapping[str, Any]) -> Route:
        self.providers[model.provider.name] = model.provider
        sampling = Sampling(**{key: value for key, value in settings.items() if key in _SAMPLING})
        free = model.provider.adapter == "local"
        price = FREE if free else settings.get("price")
        return Route(model.provider.name, model.id, sampling, settings.get("timeout"), settings.get("retries"), price)

    def pipeline(self, pipeline: checked.Pipeline) -> plan.Pipeline:
        return plan.Pipeline(
            name=pipeline.name,
            answer=pipeline.answer,
            layers=tuple(
                self.layer(layer, following)
                for layer, following in zip(pipeline.layers, (*pipeline.layers[1:], None), strict=False)
            ),
            aggregate=self.aggregate(pipeline.aggregate),
            budget=pipeline.budget,
            origin=pipeline.span.origin,
        )

    def layer(self, layer: checked.Layer, following: checked.Layer | None) -> plan.Layer:
        return plan.Layer(
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

    def agent(self, agent: checked.Agent) -> plan.Agent:
        view = plan.View(kind=agent.view.kind, distance=agent.view.distance, names=agent.view.names)
        does: plan.Call | plan.Pipeline
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
        return plan.Agent(
            name=agent.name, role=role, view=view, about=about or role, does=does, origin=agent.span.origin
        )

    def recipe(self, recipe: checked.Recipe) -> None:
        call = self.call(recipe.model, recipe.template, "roles", recipe.span, {})
        self.recipes[recipe.name] = plan.Recipe(
            name=recipe.name,
            call=call,
            n=recipe.n,
            dataset=recipe.dataset,
            task=recipe.task,
            fingerprint=recipe.fingerprint,
            file=recipe.span.source.name,
        )

    def activate(self, activate: checked.Activate) -> plan.Activate:
        router = None
        if activate.router:
            router = self.call(activate.router, activate.template, "router", activate.span, {}, temperature=0.0)
        return plan.Activate(count=activate.count, router=router, seed=activate.seed, origin=activate.span.origin)

    def quorum(self, quorum: checked.Quorum) -> plan.Quorum:
        return plan.Quorum(count=quorum.count, after_s=quorum.after_s, origin=quorum.span.origin)

    def judge(self, judge: checked.Judge, layer: checked.Layer, following: checked.Layer | None) -> plan.Judge:
        read_after = following is not None and (
            (following.when is not None and reads_scores(following.when))
            or any(stop.whole_pipeline and reads_scores(stop.condition) for stop in layer.stops)
        )
        read_between = judge.feedback or any(reads_scores(stop.condition) for stop in layer.stops)
        by: plan.ModelJudge | plan.FreeJudge
        match judge.by:
            case checked.ModelJudge(kind, model):
                call = self.call(model, judge.template, kind, judge.span, judge.overrides, temperature=0.0)
                by = plan.ModelJudge(kind=kind, call=call)
            case checked.FreeJudge(kind, seed):
                by = plan.FreeJudge(kind=kind, seed=seed)
            case _:
                assert_never(judge.by)
        return plan.Judge(
            by=by,
            keep=judge.keep,
            criteria=judge.criteria,
            min_score=judge.min_score,
            dedupe=judge.dedupe,
            feedback=judge.feedback,
            shuffle=judge.shuffle,
            otherwise=judge.otherwise,
            fuse=judge.fuse,
            is_read=judge.min_score is not None or read_after,
            is_read_between=read_between,
            origin=judge.span.origin,
        )

    def stop(self, stop: checked.Stop) -> plan.Stop:
        condition = self.condition(stop.condition, stop.span)
        return plan.Stop(whole_pipeline=stop.whole_pipeline, condition=condition, origin=stop.span.origin)

    def condition(self, condition: checked.Condition, span: Span) -> plan.Condition:
        match condition:
            case checked.Or(parts):
                return plan.Or(parts=tuple(self.condition(part, span) for part in parts))
            case checked.And(parts):
                return plan.And(parts=tuple(self.condition(part, span) for part in parts))
            case checked.Not(part):
                return plan.Not(part=self.condition(part, span))
            case checked.Compare(measure, operator, value):
                return plan.Compare(measure=measure, operator=cast("Any", operator), value=value)
            case checked.Moderator(model, template):
                return plan.Moderator(call=self.call(model, template, "moderator", span, {}, temperature=0.0))
            case checked.Constant(value):
                return plan.Constant(value=value)
            case _:
                assert_never(condition)

    def aggregate(
        self, end: checked.ModelAggregate | checked.FreeAggregate
    ) -> plan.ModelAggregate | plan.FreeAggregate:
        match end:
            case checked.ModelAggregate():
                call = self.call(end.model, end.template, "aggregate", end.span, end.overrides)
                output = dict(end.output) if end.output is not None else None
                return plan.ModelAggregate(call=call, stream=end.stream, output=output, otherwise=end.otherwise)
            case checked.FreeAggregate():
                return plan.FreeAggregate(kind=end.kind, origin=end.span.origin)
            case _:
                assert_never(end)


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


def _taken(model: checked.Model, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a place but those that the model's provider would refuse: nobody asked for them."""
    refused = untaken(model.provider.adapter, model.provider.base_url, model.id, defaults)
    return {name: value for name, value in defaults.items() if name not in refused}
