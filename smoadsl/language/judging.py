"""Judging, to turn a judge statement into what it means: who judges, how many are kept, and what else it is told."""

from collections.abc import Iterator

from smoadsl.language import checked, nodes, pipeline_problems, problems, rules, settings
from smoadsl.language.declare import Declarations, uses
from smoadsl.language.resolve import Names
from smoadsl.language.taken import say_untaken

_BY_MODEL = ("score", "pairwise")
_RANKS = ("best", "rank", "ranking", "top")
_FREE = ("vote", "consensus", "cluster", "random")


def read_judge(
    declarations: Declarations, node: nodes.Judge, active: int | None, scores_are_read: bool
) -> checked.Judge | None:
    """The judge of a layer with so many active agents (None where that could not be read). `scores_are_read`: a stop
    rule, or a `when` that it may decide, speaks of its scores."""
    names = declarations.names
    before = len(names.said)
    by = _by(declarations, node)
    read = rules.read_settings(names, node.settings, settings.JUDGE, "a judge")
    keep = rules.number(1, settings.MOST_AGENTS, whole=True)(names, node.keep) if node.keep else None
    if keep is not None and active is not None and keep > active and node.keep:
        names.said.append(
            pipeline_problems.too_many(node.keep.span, "the judge can not keep", keep, active, active - 1)
        )
    template = declarations.template_for(read, "judge")
    if by is None:
        return None
    if isinstance(by, checked.ModelJudge):
        say_untaken(names, by.model, node.settings, read)
    idle = set(_say_idle(names, node, by, template))
    if "min_score" in read and not _scores(by):
        names.said.append(pipeline_problems.needs_scores(node.gate.span, "min_score"))
    drops = isinstance(by, checked.FreeJudge) and by.kind == "cluster"
    settings_of = node.settings.settings if node.settings else ()
    used = {"min_score", "feedback"} & {setting.key.text for setting in settings_of} - idle
    if node.keep is None and not (drops or used or scores_are_read or names.lost(node)):
        names.said.append(pipeline_problems.keep_missing(node.gate.span))
    if len(names.said) > before:
        return None
    return checked.Judge(
        by=by,
        keep=int(keep) if keep is not None else None,
        criteria=read.get("criteria", ""),
        min_score=read.get("min_score"),
        dedupe=read.get("dedupe"),
        feedback=read.get("feedback", False),
        shuffle=read.get("shuffle", True),
        otherwise=read.get("otherwise", "consensus"),
        fuse=read.get("fuse", True),
        template=template,
        overrides=settings.of_the_call(read),
        span=node.span,
    )


def _say_idle(
    names: Names, node: nodes.Judge, by: checked.ModelJudge | checked.FreeJudge, template: checked.Template | None
) -> Iterator[str]:
    """Say which settings do nothing for a judge of this kind, and name them."""
    of = f"the judge `{by.kind}()`" if isinstance(by, checked.FreeJudge) else "this judge"
    for setting in node.settings.settings if node.settings else ():
        key, why = setting.key.text, ""
        help = "take it away"
        if isinstance(by, checked.FreeJudge) and key in settings.USES_NO_MODEL:
            why, help = "it asks no model", "take it away, or let a model judge: `judge MODEL`"
        elif isinstance(by, checked.ModelJudge) and by.kind == "pairwise" and key in settings.USES_NO_LIST:
            why, help = settings.USES_NO_LIST[key], "take it away, or judge with `MODEL` or `score(MODEL)`"
        elif key == "criteria" and template and not uses(template, key):
            why, help = f"its template `{template.name}` does not use them", "write `{{ criteria }}` in the template"
        if why:
            names.said.append(problems.without_effect(setting.key.span, key, of, why, help))
            yield key


def _scores(by: checked.ModelJudge | checked.FreeJudge) -> bool:
    return isinstance(by, checked.ModelJudge) and by.kind == "score"


def _by(declarations: Declarations, node: nodes.Judge) -> checked.ModelJudge | checked.FreeJudge | None:
    names, gate = declarations.names, node.gate
    word, span = (gate.name, gate.span) if isinstance(gate, nodes.Ref) else (gate.name.text, gate.name.span)
    if word in _RANKS and word not in names.declared and not names.unread(word):
        named = [arg.name for arg in gate.args if isinstance(arg, nodes.Ref)] if isinstance(gate, nodes.Call) else []
        ranks = next(iter([*named, *names.of_kind(nodes.Model)]), "MODEL")
        mended = f"judge {ranks} keep {node.keep.span.text if node.keep else 1}"
        names.said.append(problems.unknown_function(span, word, "judge", mended=mended))
        return None
    if isinstance(gate, nodes.Ref):
        model = declarations.model_of(gate)
        return checked.ModelJudge("rank", model) if model else None
    name = gate.name.text
    if name in _BY_MODEL:
        args = rules.arguments(names, gate, "a model", rules.as_written)
        model = declarations.model_of(gate.args[0]) if args else None
        return checked.ModelJudge("score" if name == "score" else "pairwise", model) if model else None
    if name == "random":
        seeds = [rules.number(0, whole=True)(names, arg) for arg in gate.args]
        if len(seeds) > 1:
            names.said.append(problems.wrong_arguments(gate.span, name, "a seed, or nothing"))
        return checked.FreeJudge("random", seeds[0] if seeds else None)
    if name in _FREE:
        if gate.args:
            names.said.append(problems.wrong_arguments(gate.span, name, "nothing"))
        return checked.FreeJudge("vote" if name == "vote" else "cluster" if name == "cluster" else "consensus")
    names.said.append(problems.unknown_function(gate.name.span, name, "judge", [*_BY_MODEL, *_FREE]))
    return None
