"""Words, to say the parts of a plan as the language says them, in every way that a plan is shown."""

import re
from typing import assert_never

from smoadsl.builtins.answers import AnswerForm
from smoadsl.plan import plan as plans
from smoadsl.show.safe import one_line

FEW_WORDS = 50  # characters of a role or of criteria that stand among other things


def answer_form(form: AnswerForm) -> str:
    """`number`, `choice(A, B)`; nothing for whole texts, which need no word."""
    detail = f"({', '.join(form.detail)})" if form.detail else ""
    return "" if form.kind == "text" else f"{form.kind}{detail}"


def few(text: str, most: int = FEW_WORDS) -> str:
    """A role in a few words: its first sentence, without the `You are a` that most begin with."""
    sentence = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
    return one_line(re.sub(r"^You are (an? |the )?", "", sentence).rstrip("."), most)


def sees(view: plans.View) -> str:
    """`sees peers`; nothing for an agent that sees all that went on."""
    match view.kind:
        case "all":
            return ""
        case "ring":
            return f"sees ring({view.distance})"
        case "named":
            return f"sees [{', '.join(view.names)}]"
        case "none" | "own" | "peers":
            return f"sees {view.kind}"
        case _:
            assert_never(view.kind)


def rounds(layer: plans.Layer) -> str:
    """`2`, or `1 to 2` where a stop rule may end them."""
    return f"{layer.rounds}" if not layer.stops or layer.rounds == 1 else f"1 to {layer.rounds}"


def chosen_by(gate: plans.Activate) -> str:
    return f"router({gate.router.model})" if gate.router else f"random({_seed(gate)})"


def quorum(layer: plans.Layer, gate: plans.Quorum) -> str:
    return f"{gate.count} of {plans.active(layer)} after {gate.after_s:g}s"


def judge(judge: plans.Judge) -> str:
    """`qwen`, `score(qwen)`, `vote()`."""
    match judge.by:
        case plans.ModelJudge(kind="rank", call=call):
            return call.model
        case plans.ModelJudge(kind=kind, call=call):
            return f"{kind}({call.model})"
        case plans.FreeJudge(kind=kind):
            return f"{kind}({_seed(judge.by)})"
        case _:
            assert_never(judge.by)


def keeps(judge: plans.Judge, agents: int) -> str:
    """`keeps 2 of 4`, of so many agents."""
    if judge.keep is not None:
        return f"keeps {judge.keep} of {agents}"
    return "keeps all but outliers" if drops_outliers(judge) else "keeps all"


def drops_outliers(judge: plans.Judge) -> bool:
    return isinstance(judge.by, plans.FreeJudge) and judge.by.kind == "cluster"


def thinned_by(judge: plans.Judge) -> list[str]:
    """What else a judge goes by when it chooses, a part each."""
    parts = [f"criteria: {one_line(judge.criteria, FEW_WORDS)}"] * bool(judge.criteria)
    parts += [f"min_score {judge.min_score:g}"] if judge.min_score is not None else []
    parts += [f"dedupe {judge.dedupe:g}"] if judge.dedupe is not None else []
    return parts + ["with feedback"] * judge.feedback


def template(call: plans.Call) -> str:
    """`template critique`; nothing for those that come with the language."""
    return "" if call.built_in else f"template {call.template}"


def aggregate(end: plans.Aggregate) -> str:
    """`qwen`, `vote()`."""
    return end.call.model if isinstance(end, plans.ModelAggregate) else f"{end.kind}()"


def _seed(drawn: plans.FreeJudge | plans.Activate) -> str:
    return "" if drawn.seed is None else str(drawn.seed)


# ---- conditions


def rule(stop: plans.Stop) -> str:
    """`stop pipeline when agreement >= 0.9`."""
    return f"stop {'pipeline ' if stop.whole_pipeline else ''}when {written(stop.condition)}"


def written(condition: plans.Condition) -> str:
    """A condition as the language writes it, with the brackets that it needs."""
    match condition:
        case plans.Or(parts=parts):
            return " or ".join(map(written, parts))
        case plans.And(parts=parts):
            return " and ".join(_enclosed(part, plans.Or) for part in parts)
        case plans.Not(part=part):
            return f"not {_enclosed(part, (plans.Or, plans.And))}"
        case plans.Compare(measure=measure, operator=operator, value=value):
            return f"{measure} {operator} {f'{value:g}s' if measure == 'spent.time' else f'{value:_.10g}'}"
        case plans.Moderator(call=call):
            own = "" if call.built_in else f", {call.template}"
            return f"moderator({call.model}{own})"
        case plans.Constant(value=value):
            return str(value).lower()
        case _:
            assert_never(condition)


def _enclosed(part: plans.Condition, kinds: type | tuple[type, ...]) -> str:
    return f"({written(part)})" if isinstance(part, kinds) else written(part)
