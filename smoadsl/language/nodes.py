"""Nodes, to hold what was written: the tree of a file as its author typed it, each node with its span.

Import the module, not the classes: `nodes.Layer` is what was written, `checked.Layer` what was meant.
Spans do not count in comparisons, so two files that differ in layout alone are equal.
"""

from dataclasses import field
from decimal import Decimal

from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span


@dataclass(frozen=True, repr=False)
class Node:
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Name(Node):
    text: str


# ---- values


@dataclass(frozen=True, repr=False)
class Number(Node):
    value: int | float


@dataclass(frozen=True, repr=False)
class Duration(Node):
    seconds: float


@dataclass(frozen=True, repr=False)
class Money(Node):
    usd: Decimal


@dataclass(frozen=True, repr=False)
class Rate(Node):
    count: int
    period_s: float


@dataclass(frozen=True, repr=False)
class Text(Node):
    """`lines` has the source's offset at which each line of the text begins, so that a place in it can be shown."""

    value: str
    lines: tuple[int, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, repr=False)
class Bool(Node):
    value: bool


@dataclass(frozen=True, repr=False)
class Ref(Node):
    name: str


@dataclass(frozen=True, repr=False)
class Call(Node):
    name: Name
    args: "tuple[Value, ...]"


@dataclass(frozen=True, repr=False)
class List(Node):
    items: "tuple[Value, ...]"


@dataclass(frozen=True, repr=False)
class Setting(Node):
    key: Name
    value: "Value"


@dataclass(frozen=True, repr=False)
class Object(Node):
    settings: tuple[Setting, ...]


Literal = Number | Duration | Money | Rate | Text | Bool
Value = Literal | Ref | Call | List | Object
Count = Number | Ref
Gate = Ref | Call


# ---- conditions


@dataclass(frozen=True, repr=False)
class Path(Node):
    """A dotted name: `round`, `score.best`, `plan.max_usd`."""

    parts: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Or(Node):
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, repr=False)
class And(Node):
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, repr=False)
class Not(Node):
    part: "Condition"


@dataclass(frozen=True, repr=False)
class Comparison(Node):
    left: "Operand"
    operator: str
    right: "Operand"


Operand = Path | Call | Literal | List
Condition = Or | And | Not | Comparison | Operand


# ---- declarations


@dataclass(frozen=True, repr=False)
class Import(Node):
    path: Text


@dataclass(frozen=True, repr=False)
class Param(Node):
    name: Name
    value: Value
    choices: List | None


@dataclass(frozen=True, repr=False)
class Provider(Node):
    name: Name
    value: Value
    settings: Object | None


@dataclass(frozen=True, repr=False)
class Model(Node):
    name: Name
    value: Value
    settings: Object | None


@dataclass(frozen=True, repr=False)
class Role(Node):
    name: Name
    value: Value


@dataclass(frozen=True, repr=False)
class Roles(Node):
    name: Name
    value: Value
    settings: Object | None


@dataclass(frozen=True, repr=False)
class Template(Node):
    name: Name
    value: Value


# ---- pipelines


@dataclass(frozen=True, repr=False)
class Target(Node):
    """One agent, or `times` of them: `qwen`, `alice = qwen`, `qwen * 6`."""

    alias: Name | None
    name: Name
    times: Count | None


@dataclass(frozen=True, repr=False)
class Propose(Node):
    targets: tuple[Target, ...]
    roles: Ref | List | None
    sees: Ref | Call | List | None
    settings: Object | None


@dataclass(frozen=True, repr=False)
class Activate(Node):
    count: Count
    gate: Gate


@dataclass(frozen=True, repr=False)
class Quorum(Node):
    count: Count
    after: Duration | Ref | None


@dataclass(frozen=True, repr=False)
class Judge(Node):
    gate: Gate
    keep: Count | None
    settings: Object | None


@dataclass(frozen=True, repr=False)
class Stop(Node):
    whole_pipeline: bool
    condition: Condition


LayerStatement = Propose | Activate | Quorum | Judge | Stop


@dataclass(frozen=True, repr=False)
class Layer(Node):
    name: Name
    repeat: Count | None
    when: Condition | None
    statements: tuple[LayerStatement, ...]


@dataclass(frozen=True, repr=False)
class Answer(Node):
    form: Gate


@dataclass(frozen=True, repr=False)
class Budget(Node):
    settings: Object


@dataclass(frozen=True, repr=False)
class Aggregate(Node):
    gate: Gate
    settings: Object | None


PipelineStatement = Answer | Budget | Layer | Aggregate


@dataclass(frozen=True, repr=False)
class Pipeline(Node):
    name: Name
    statements: tuple[PipelineStatement, ...]


# ---- tests


@dataclass(frozen=True, repr=False)
class Prompt(Node):
    text: Text


@dataclass(frozen=True, repr=False)
class Input(Node):
    fields: Object


@dataclass(frozen=True, repr=False)
class Error(Node):
    """A fault that a test injects: a status, or a kind such as `timeout`."""

    kind: int | str


@dataclass(frozen=True, repr=False)
class Reply(Node):
    """`who` is `*`, a path of names, or one that ends in `judge` or `aggregate`."""

    who: tuple[str, ...]
    after: Duration | Ref | None
    outcome: Text | Error | List | Object | Bool


@dataclass(frozen=True, repr=False)
class Expect(Node):
    condition: Condition


TestStatement = Prompt | Input | Reply | Expect


@dataclass(frozen=True, repr=False)
class Test(Node):
    title: Text
    pipeline: Name
    statements: tuple[TestStatement, ...]


Declaration = Provider | Model | Role | Roles | Template | Param | Pipeline
Item = Import | Declaration | Test


@dataclass(frozen=True, repr=False)
class Unread(Node):
    """A statement or setting that could not be read and was left out, and the word with which it begins (empty where
    that is not known): what its surroundings seem to lack may be this."""

    word: str


@dataclass(frozen=True, repr=False)
class File:
    """A file's items in written order, the names that items too broken to read would have declared (the empty name
    where these could be any), and what was left out of the others."""

    items: tuple[Item, ...]
    broken: frozenset[str] = field(default=frozenset(), compare=False)
    unread: tuple[Unread, ...] = field(default=(), compare=False)
