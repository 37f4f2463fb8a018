"""Plan, to hold what will happen: data that can be saved, shown, compared and executed, and that holds no secret.

Everything is named by its declared name and carries its `origin` (`file:line`). `version` changes whenever the JSON of
a plan changes its meaning.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from smoadsl.builtins.answers import AnswerForm
from smoadsl.calls.budget import Limits
from smoadsl.calls.route import Provider, Route
from smoadsl.frozen import Frozen, ToldBy

BUILT_IN = "built-in "


class Call(Frozen):
    """How a model is asked in one place. `routes` are the model's own and its fallbacks'; `template` names one of
    the plan's templates, `built-in NAME` for ours."""

    type: Literal["call"] = "call"
    model: str
    routes: tuple[Route, ...]
    template: str
    origin: str

    @property
    def max_tokens(self) -> int:
        """The most that a response can have, whichever route gives it; one that grows has twice as many."""
        return max(route.sampling.max_tokens * (2 if route.length == "grow" else 1) for route in self.routes)

    @property
    def built_in(self) -> bool:
        return self.template.startswith(BUILT_IN)


# ---- conditions


class Or(Frozen):
    type: Literal["or"] = "or"
    parts: "tuple[Condition, ...]"


class And(Frozen):
    type: Literal["and"] = "and"
    parts: "tuple[Condition, ...]"


class Not(Frozen):
    type: Literal["not"] = "not"
    part: "Condition"


class Compare(Frozen):
    type: Literal["compare"] = "compare"
    measure: str
    operator: Literal["<", "<=", ">", ">=", "==", "!="]
    value: float


class Moderator(Frozen):
    type: Literal["moderator"] = "moderator"
    call: Call


class Constant(Frozen):
    type: Literal["constant"] = "constant"
    value: bool


Condition = Annotated[Or | And | Not | Compare | Moderator | Constant, ToldBy("type")]


# ---- layers


class View(Frozen):
    """Which of the responses that went on an agent reads; `names` are agents' names."""

    kind: Literal["all", "none", "own", "peers", "ring", "named"] = "all"
    distance: int = 0
    names: tuple[str, ...] = ()

    def is_of(self, agent: str) -> bool:
        """Whether a view of names is of this agent: `qwen` names `qwen.1` and `qwen.2` as well."""
        return agent in self.names or agent.partition(".")[0] in self.names


class Agent(Frozen):
    """One proposer: a call of a model, or a whole pipeline. `about` is what a router is told of it."""

    name: str
    role: str
    view: View
    about: str = ""
    does: "Annotated[Call | Pipeline, ToldBy('type')]"
    origin: str

    @property
    def model(self) -> str:
        """What is asked: a model's name, or a pipeline's."""
        return self.does.model if isinstance(self.does, Call) else self.does.name


class ModelJudge(Frozen):
    type: Literal["model"] = "model"
    kind: Literal["rank", "score", "pairwise"]
    call: Call


class FreeJudge(Frozen):
    type: Literal["free"] = "free"
    kind: Literal["vote", "consensus", "cluster", "random"]
    seed: int | None = None


class Judge(Frozen):
    """`keep` None: all go on. `is_read`: more than the choice is read of each verdict (its scores), so that it is asked
    for even if all go on; `is_read_between`: at least of those that another round follows (scores, remarks).
    `fused`: the moderator's question is put in the judge's call while it is open. `spared`: nobody is asked where there
    is nothing to choose."""

    by: Annotated[ModelJudge | FreeJudge, ToldBy("type")]
    keep: int | None
    criteria: str
    min_score: float | None
    dedupe: float | None
    feedback: bool
    shuffle: bool
    otherwise: Literal["consensus", "vote", "first", "random", "fail"]
    fuse: bool
    is_read: bool
    is_read_between: bool
    fused: bool = False
    spared: bool = False
    origin: str

    def read_in(self, number: int, rounds: int) -> bool:
        """Whether more than the choice is read of its verdict in round `number` of `rounds`."""
        return self.is_read or (self.is_read_between and number < rounds)


class Stop(Frozen):
    whole_pipeline: bool
    condition: Condition
    origin: str


class Activate(Frozen):
    """The sparse gate before the work: `count` of the agents run, chosen by a router or, without one, by chance."""

    count: int
    router: Call | None
    seed: int | None = None
    origin: str


class Quorum(Frozen):
    """Go on when `count` have answered and `after_s` has passed since the round began."""

    count: int
    after_s: float
    origin: str


class Layer(Frozen):
    """`merged` names agents whose answers come from one request, which asks for several. `flows`: no barrier stands
    between its rounds, nor, where it `joins`, before its first: an agent starts as soon as it has what it sees."""

    name: str
    rounds: int
    when: Condition | None
    agents: tuple[Agent, ...]
    activate: Activate | None = None
    quorum: Quorum | None = None
    judge: Judge | None
    stops: tuple[Stop, ...]
    merged: tuple[tuple[str, ...], ...] = ()
    flows: bool = False
    joins: bool = False
    origin: str


class ModelAggregate(Frozen):
    type: Literal["model"] = "model"
    call: Call
    stream: bool
    output: dict[str, Any] | None
    otherwise: Literal["best", "fail"]


class FreeAggregate(Frozen):
    type: Literal["free"] = "free"
    kind: Literal["vote", "best"]
    origin: str


Aggregate = Annotated[ModelAggregate | FreeAggregate, ToldBy("type")]


# ---- what the compiler says about it


class Range(Frozen):
    """`least`: all that can end early does; `full`: nothing fails or ends early; `worst`: besides, every verdict must
    be asked for twice, and every call is tried as often as it may be."""

    least: int
    full: int
    worst: int


class Money(Frozen):
    """A `Range` in dollars."""

    least: Decimal
    full: Decimal
    worst: Decimal


class Seconds(Frozen):
    """A `Range` in seconds."""

    least: float
    full: float
    worst: float


class Bounds(Frozen):
    """What one prompt of `prompt_tokens` tokens can take.

    The critical path is the longest chain of calls that wait for one another; `seconds` is what it takes when each call
    takes as long as was said, None where nothing was. `usd` is None where the routes of `unpriced` have no known price.
    `binds` says which limits of the budget may end a run before its own worst case."""

    prompt_tokens: int
    calls: Range
    tokens: Range
    input_tokens: Range
    output_tokens: Range
    critical_path: Range
    usd: Money | None = None
    unpriced: tuple[str, ...] = ()
    seconds: Seconds | None = None
    binds: tuple[str, ...] = ()


class Decision(Frozen):
    """Something that the compiler did on its own."""

    pass_name: str
    message: str
    origin: str


class Saving(Frozen):
    """What all decisions of a pass save: of `least`, and of `full`, where nothing fails or ends early."""

    pass_name: str
    least_calls: int
    full_calls: int
    full_tokens: int


class Pipeline(Frozen):
    type: Literal["pipeline"] = "pipeline"
    name: str
    answer: AnswerForm
    layers: tuple[Layer, ...]
    aggregate: Aggregate
    budget: Limits = Limits()
    origin: str


class Recipe(Frozen):
    """A list of roles that has to be made before the plan can run: it is in no lock as it is written now."""

    name: str
    call: Call
    n: int
    dataset: str
    task: str
    fingerprint: str
    file: str


class Making(Frozen):
    """Lists of roles to be made, and what making them needs."""

    recipes: tuple[Recipe, ...]
    providers: dict[str, Provider]
    templates: dict[str, str]


class Plan(Frozen):
    version: Literal[1] = 1
    pipeline: Pipeline
    providers: dict[str, Provider]
    templates: dict[str, str]
    recipes: tuple[Recipe, ...] = ()
    decisions: tuple[Decision, ...] = ()
    savings: tuple[Saving, ...] = ()
    bounds: Bounds | None = None

    @property
    def making(self) -> Making:
        return Making(recipes=self.recipes, providers=self.providers, templates=self.templates)

    def without_keys(self) -> "Plan":
        """The plan for a run that sends nothing anywhere."""
        return self.model_copy(update={"providers": {n: one.without_keys() for n, one in self.providers.items()}})

    def unstreamed(self) -> "Plan":
        """The plan for a run whose answer nobody reads while it comes: what nobody has seen can be asked for again."""
        aggregate = self.pipeline.aggregate
        if not (isinstance(aggregate, ModelAggregate) and aggregate.stream):
            return self
        whole = aggregate.model_copy(update={"stream": False})
        return self.model_copy(update={"pipeline": self.pipeline.model_copy(update={"aggregate": whole})})


def moderators(condition: Condition) -> list[Moderator]:
    """The moderators of a condition, from left to right."""
    match condition:
        case Or() | And():
            return [found for part in condition.parts for found in moderators(part)]
        case Not():
            return moderators(condition.part)
        case Moderator():
            return [condition]
        case Compare() | Constant():
            return []


def active(layer: Layer) -> int:
    """How many of the layer's agents run in a round."""
    return layer.activate.count if layer.activate else len(layer.agents)


def calls_of(pipeline: Pipeline) -> list[Call]:
    """Every call that a pipeline can make, those of inner pipelines included, in the order in which they stand."""
    found: list[Call] = []
    for layer in pipeline.layers:
        gates = [layer.activate.router] if layer.activate and layer.activate.router else []
        rules = [stop.condition for stop in layer.stops] + ([layer.when] if layer.when else [])
        found += gates
        for agent in layer.agents:
            found += [agent.does] if isinstance(agent.does, Call) else calls_of(agent.does)
        if layer.judge and isinstance(layer.judge.by, ModelJudge):
            found.append(layer.judge.by.call)
        found += [moderator.call for rule in rules for moderator in moderators(rule)]
    if isinstance(pipeline.aggregate, ModelAggregate):
        found.append(pipeline.aggregate.call)
    return found


def routes_of(plan: Plan) -> tuple[Route, ...]:
    """Every route that a plan may take, each once."""
    calls = [*(recipe.call for recipe in plan.recipes), *calls_of(plan.pipeline)]
    unique = {route.name: route for call in calls for route in call.routes}
    return tuple(unique.values())
