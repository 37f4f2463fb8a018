"""Compile, to turn the text of a file into a plan: the whole compiler on one screen."""

from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome, in_order
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import checked, pipeline_problems, problems
from smoadsl.language.check import Given, check
from smoadsl.language.load import Reader, load
from smoadsl.plan.bounds import bounds
from smoadsl.plan.lower import lower
from smoadsl.plan.optimize import optimize
from smoadsl.plan.plan import Plan


def analyse(source: Source, given: Given | None = None, reader: Reader | None = None) -> Outcome[checked.Program]:
    """What the file means, with all that it imports, and everything worth saying about it."""
    loaded = load(source, reader)
    assert loaded.value is not None  # loading always gives a file set, though perhaps an empty one
    program = check(loaded.value, given)
    return Outcome(program.value, in_order([*loaded.diagnostics, *program.diagnostics]))


def compile(
    source: Source, pipeline: str | None = None, given: Given | None = None, reader: Reader | None = None
) -> Outcome[Plan]:
    """The plan of the file's pipeline (of the one named, where there are several), and everything worth saying.

    `reader` reads what the file imports and names; without one, it may name no other file.
    """
    program = analyse(source, given, reader)
    said = program.diagnostics
    if not program.ok or program.value is None:
        return Outcome(None, said)
    chosen = choose(program.value, pipeline, source)
    if chosen.value is None:
        return Outcome(None, (*said, *chosen.diagnostics))
    plan = optimize(lower(chosen.value))
    return Outcome(plan.model_copy(update={"bounds": bounds(plan)}), said)


def choose(program: checked.Program, name: str | None, source: Source) -> Outcome[checked.Pipeline]:
    """The pipeline that is meant: the one named, else the file's only one."""
    whole_file = Span(source, 0, min(1, len(source.text)))
    if name is not None:
        if name in program.pipelines:
            return Outcome(program.pipelines[name])
        return _refused(problems.unknown_name(whole_file, name, "pipeline", program.pipelines))
    outer = [name for name in program.main if name not in program.inner]
    if len(outer) == 1:
        return Outcome(program.pipelines[outer[0]])
    if not outer:
        return _refused(pipeline_problems.no_pipeline(whole_file))
    return _refused(pipeline_problems.several_pipelines(whole_file, outer, source.name))


def _refused(diagnostic: Diagnostic) -> Outcome[checked.Pipeline]:
    return Outcome(None, (diagnostic,))
