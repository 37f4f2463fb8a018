"""Random plans, to write small pipelines of every kind as text, for properties that must hold of all of them."""

from dataclasses import dataclass

from hypothesis import strategies as st

MODELS = ("a", "b", "c", "d", "j", "m")
SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'


@dataclass(frozen=True, slots=True)
class Kind:
    """What may stand in a plan. `open`: each stop rule and `when` asks its moderators as long as answers differ and
    moderators say no, no stop rule ends anything then, and no layer is skipped. `lengths`: models say what becomes of
    an answer that is cut, and when a second copy is asked for."""

    open: bool = False
    equal_models: bool = False
    quorums: bool = True
    gates: bool = True
    budgets: bool = False
    fallbacks: bool = False
    lengths: bool = False


@st.composite
def programs(draw: st.DrawFn, kind: Kind) -> str:
    """A whole file whose outer pipeline is `p`; it may have others as agents."""
    parts = [draw(_models(kind, name)) for name in MODELS]
    inner = [f"inner_{number}" for number in range(draw(st.integers(0, 2)))]
    for number, name in enumerate(inner):
        parts.append(draw(_pipelines(kind, name, inner[:number])))
    parts.append(draw(_pipelines(kind, "p", inner)))
    return "\n".join(parts) + "\n"


@st.composite
def chains(draw: st.DrawFn) -> str:
    """A whole file whose pipeline `p` is one call of a model with fallbacks. What they cost and may answer, and what
    becomes of what is cut or slow, is as different as can be."""
    count = draw(st.integers(1, 3))
    parts = []
    for number, name in enumerate(MODELS[:count]):
        settings = [
            f"max_tokens = {draw(st.sampled_from((5, 40, 400)))}",
            f"price = {{ input = $1, output = ${draw(st.sampled_from((1, 30, 900)))} }}",
            f"retries = {draw(st.integers(0, 3))}",
            f"length = {draw(st.sampled_from(('grow', 'grow', 'accept', 'fail')))}",
        ]
        if draw(st.booleans()):
            settings.append(f"hedge = {draw(st.sampled_from(('300ms', '700ms')))}")
        if number + 1 < count:
            settings.append(f"fallback = {MODELS[number + 1]}")
        parts.append(f'model {name} = "groq/{name}" {{ {", ".join(settings)} }}')
    return "\n".join([*parts, "pipeline p { aggregate a { stream = false } }\n"])


@st.composite
def _models(draw: st.DrawFn, kind: Kind, name: str) -> str:
    most = 10 if kind.equal_models else draw(st.sampled_from((5, 10, 40)))
    output = draw(st.sampled_from((1, 3, 900))) if kind.lengths else 3
    settings = [f"max_tokens = {most}", f"price = {{ input = ${draw(st.integers(0, 9))}, output = ${output} }}"]
    if kind.lengths:
        settings.append(f"length = {draw(st.sampled_from(('grow', 'grow', 'accept', 'fail')))}")
        if draw(st.booleans()):
            settings.append(f"hedge = {draw(st.sampled_from(('300ms', '700ms')))}")
    if kind.fallbacks:
        settings.append(f"retries = {draw(st.integers(0, 2))}")
        later = MODELS[MODELS.index(name) + 1 :]
        if draw(st.booleans()) and later:
            settings.append(f"fallback = {draw(st.sampled_from(later))}")
    else:
        settings.append("retries = 0")
    return f'model {name} = "groq/{name}" {{ {", ".join(settings)} }}'


@st.composite
def _pipelines(draw: st.DrawFn, kind: Kind, name: str, inner: list[str]) -> str:
    count = draw(st.sampled_from((1, 2, 3, 1, 2, 3, 0) if name == "p" else (1, 2)))
    lines = [f"pipeline {name} {{", f"  answer {draw(st.sampled_from(('number', 'text')))}"]
    if kind.budgets and draw(st.booleans()):
        lines.append(f"  budget {{ {draw(_budgets())} }}")
    scored = False
    judged = False
    for number in range(count):
        text, judged, scored = draw(_layers(kind, number, count, inner, scored))
        lines.append(text)
    ends = ["a", "b { stream = false }", 'c { output = json(file("s.json")) }']
    if count:
        ends += ["vote()", "d { otherwise = fail }"]
    if judged:
        ends.append("best()")
    lines += [f"  aggregate {draw(st.sampled_from(ends))}", "}"]
    return "\n".join(lines)


@st.composite
def _budgets(draw: st.DrawFn) -> str:
    limits = {
        "calls": draw(st.integers(1, 15)),
        "tokens": draw(st.integers(1, 2_000)),
        "usd": f"${draw(st.integers(1, 9_000)) / 1_000_000:.6f}",
        "time": f"{draw(st.integers(1, 12))}s",
    }
    chosen = draw(st.lists(st.sampled_from(sorted(limits)), min_size=1, max_size=4, unique=True))
    return ", ".join(f"{name} = {limits[name]}" for name in chosen)


@st.composite
def _layers(
    draw: st.DrawFn, kind: Kind, number: int, count: int, inner: list[str], scored: bool
) -> tuple[str, bool, bool]:
    """A layer, whether it has a judge, and whether that one scores."""
    targets = draw(st.lists(st.sampled_from([*"abcd", *inner]), min_size=1, max_size=4))
    agents = len(targets)
    rounds = draw(st.integers(1, 3))
    when = f" when {draw(_whens(kind, scored))}" if number and draw(st.booleans()) else ""
    lines = [f"  layer l{number} repeat {rounds}{when} {{"]
    views = ("", " sees own", " sees none", " sees peers", " sees ring(1)", f" sees [{targets[0]}]")
    lines += [f"    propose {target}{draw(st.sampled_from(views))}" for target in targets]
    if kind.gates and not (kind.equal_models and set(targets) & set(inner)) and draw(st.integers(0, 2)) == 0:
        by = draw(st.sampled_from(("router(m)", "router(j)", "random()")))
        active = draw(st.integers(1, agents))
        lines.append(f"    activate {active} by {by}")
        agents = active
    if kind.quorums and draw(st.booleans()):
        after = draw(st.sampled_from(("", " after 1s", " after 500ms")))
        lines.append(f"    quorum {draw(st.integers(1, agents))}{after}")
    judge, scores = draw(_judges(agents)) if draw(st.integers(0, 3)) else ("", False)
    if judge:
        lines.append(f"    {judge}")
    lines += [
        f"    stop {draw(st.sampled_from(('', 'pipeline ')))}when {draw(_stops(kind, scores))}"
        for _ in range(draw(st.sampled_from((0, 1, 1, 2))))
    ]
    return "\n".join([*lines, "  }"]), bool(judge), scores


@st.composite
def _judges(draw: st.DrawFn, agents: int) -> tuple[str, bool]:
    """A judge, and whether it scores."""
    by = draw(
        st.sampled_from(
            ("j", "m", "j", "score(j)", "score(m)", "pairwise(j)", "vote()", "consensus()", "cluster()", "random()")
        )
    )
    scores = by.startswith("score")
    options: list[str] = []
    if scores and draw(st.booleans()):
        options.append(f"min_score = {draw(st.integers(1, 5))}")
    if not by.endswith("()"):
        options += draw(
            st.lists(
                st.sampled_from(
                    ("dedupe = 0.5", "max_tokens = 3")
                    if by == "pairwise(j)"
                    else ("feedback = true", "fuse = false", "shuffle = false", "dedupe = 0.5", "max_tokens = 3")
                ),
                max_size=2,
                unique=True,
            )
        )
        options.append(f"otherwise = {draw(st.sampled_from(('consensus', 'vote', 'first', 'random', 'fail')))}")
    block = f" {{ {', '.join(options)} }}" if options else ""
    return f"judge {by} keep {draw(st.integers(1, agents))}{block}", scores


def _stops(kind: Kind, scored: bool) -> st.SearchStrategy[str]:
    asking = ["moderator(j)", "moderator(j)", "moderator(m)", "moderator(a)"]
    closed = ["agreement >= 0.75", "similarity > 0.99", "round >= 9", "spent.calls >= 9_999"]
    if scored:
        closed.append("score.best >= 4.5")
    terms = [*asking, *closed]
    if kind.open:  # a rule is false only when all its parts are
        return st.lists(st.sampled_from(terms), min_size=1, max_size=3).map(" or ".join)
    terms += [
        "change < 0.5",
        "round >= 2",
        "agreement < 0.6",
        "similarity < 0.5",
        "spent.calls >= 6",
        "spent.time > 2s",
    ]
    terms += ["not moderator(j)"] + (["score.mean < 3", "not (score.worst > 2)"] if scored else [])
    return _mixed(terms)


def _whens(kind: Kind, scored: bool) -> st.SearchStrategy[str]:
    if kind.open:  # it holds only when all its parts do
        terms = ["not moderator(j)", "not moderator(m)", "agreement < 0.5", "spent.calls >= 1"]
        return st.lists(st.sampled_from(terms), min_size=1, max_size=3).map(" and ".join)
    terms = ["agreement < 0.6", "agreement > 0.4", "moderator(m)", "not moderator(j)", "round >= 2", "change > 0.5"]
    return _mixed(terms + (["score.best < 4"] if scored else []))


def _mixed(terms: list[str]) -> st.SearchStrategy[str]:
    term = st.sampled_from(terms)
    joined = st.builds("{} {} {}".format, term, st.sampled_from(("and", "or")), term)
    return st.one_of(st.sampled_from(terms), joined, joined.map(lambda words: f"not ({words})"))
