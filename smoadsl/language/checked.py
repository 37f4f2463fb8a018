"""Checked, to hold what was meant: names are objects, settings have types, illegal combinations can not be built.

Import the module, not the classes. Spans remain for those who still have something to say about a place.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from smoadsl.builtins.answers import AnswerForm
from smoadsl.calls.budget import Limits
from smoadsl.calls.route import Provider
from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span
from smoadsl.language import nodes

Settings = Mapping[str, object]  # by name, each of the type that `settings.py` gives it
Otherwise = Literal["consensus", "vote", "first", "random", "fail"]


@dataclass(frozen=True, repr=False)
class Model:
    name: str
    provider: Provider
    id: str
    written: str  # "provider/id" as the file has it, also where the command line swaps the model
    settings: Settings
    fallbacks: "tuple[Model, ...]"
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Recipe:
    """How a list of roles is made (`generate(model, n)`), and whether the lock has it as it is written now."""

    name: str
    model: Model
    n: int
    dataset: str
    task: str
    template: "Template | None"
    fingerprint: str
    locked: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Role:
    """`recipe` of a generated role; until it is locked its text is a stand-in."""

    name: str
    text: str
    recipe: Recipe | None = None


@dataclass(frozen=True, repr=False)
class Template:
    """A Jinja template that its author wrote; `lines` as in `nodes.Text`."""

    name: str
    text: str
    span: Span = field(compare=False, repr=False)
    lines: tuple[int, ...] = field(default=(), compare=False, repr=False)


# ---- conditions


@dataclass(frozen=True, repr=False)
class Or:
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, repr=False)
class And:
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, repr=False)
class Not:
    part: "Condition"


@dataclass(frozen=True, repr=False)
class Compare:
    """A measure against a constant, in the measure's unit: a share, points, rounds, calls, tokens, dollars, seconds."""

    measure: str
    operator: str
    value: float


@dataclass(frozen=True, repr=False)
class Moderator:
    model: Model
    template: Template | None


@dataclass(frozen=True, repr=False)
class Constant:
    value: bool


Condition = Or | And | Not | Compare | Moderator | Constant


# ---- views


@dataclass(frozen=True, repr=False)
class View:
    """Which of the responses that went on an agent reads. `ring` reaches `distance` places to both sides; `named` lists
    agents. Under `own`, `peers` and `ring` its own last response stands apart."""

    kind: Literal["all", "none", "own", "peers", "ring", "named"] = "all"
    distance: int = 0
    names: tuple[str, ...] = ()


# ---- pipelines


@dataclass(frozen=True, repr=False)
class Agent:
    name: str
    target: "Model | Pipeline"
    role: Role | None
    view: View
    template: Template | None
    overrides: Settings
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class ModelJudge:
    kind: Literal["rank", "score", "pairwise"]
    model: Model


@dataclass(frozen=True, repr=False)
class FreeJudge:
    kind: Literal["vote", "consensus", "cluster", "random"]
    seed: int | None = None


@dataclass(frozen=True, repr=False)
class Judge:
    """`keep` is None where the judge only scores or remarks, and all go on."""

    by: ModelJudge | FreeJudge
    keep: int | None
    criteria: str
    min_score: float | None
    dedupe: float | None
    feedback: bool
    shuffle: bool
    otherwise: Otherwise
    fuse: bool
    template: Template | None
    overrides: Settings
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Stop:
    whole_pipeline: bool
    condition: Condition
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Activate:
    """`router` None: by chance, from `seed` where it is given."""

    count: int
    router: Model | None
    template: Template | None
    seed: int | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Quorum:
    count: int
    after_s: float
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Layer:
    name: str
    rounds: int
    when: Condition | None
    agents: tuple[Agent, ...]
    activate: Activate | None
    quorum: Quorum | None
    judge: Judge | None
    stops: tuple[Stop, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class ModelAggregate:
    model: Model
    template: Template | None
    stream: bool
    output: Mapping[str, object] | None  # a JSON schema that the answer must fit
    otherwise: Literal["best", "fail"]
    overrides: Settings
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class FreeAggregate:
    kind: Literal["vote", "best"]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Pipeline:
    name: str
    answer: AnswerForm
    layers: tuple[Layer, ...]
    aggregate: ModelAggregate | FreeAggregate
    budget: Limits
    span: Span = field(compare=False, repr=False)
    budget_spans: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Program:
    """Everything a file set means. `main` names the pipelines declared in the first file, `inner` those that
    are agents of others; `tests` are the first file's. `is_limited`: a budget or a context is written, which a plan has
    to be held against."""

    pipelines: Mapping[str, Pipeline]
    main: tuple[str, ...]
    inner: frozenset[str] = frozenset()
    tests: "tuple[Test, ...]" = ()
    recipes: tuple[Recipe, ...] = ()
    is_limited: bool = False


# ---- tests


@dataclass(frozen=True, repr=False)
class Fault:
    """What a test makes of an attempt in place of a reply: a status, or one of the kinds in `testing.FAULTS`."""

    kind: int | str


@dataclass(frozen=True, repr=False)
class Reply:
    """A scripted reply. `kind` says to whom; `name` is the agent or the model, empty for `*` and for verdicts.

    `outcome` is a text, a fault, agents' names best first, scores by agent, or a moderator's word.
    """

    kind: Literal["agent", "any", "judge", "moderator", "router", "aggregate"]
    layer: str
    name: str
    after_s: float
    outcome: "str | Fault | tuple[str, ...] | Mapping[str, float] | bool"
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Test:
    """A rehearsal of a pipeline. Its expectations stay as written: they speak of a run, not of the program."""

    title: str
    pipeline: Pipeline
    prompts: tuple[str, ...]
    input: Mapping[str, object]
    replies: tuple[Reply, ...]
    expects: tuple[nodes.Expect, ...]
    span: Span = field(compare=False, repr=False)
