"""Compile, to turn the text of a file into a plan: the whole compiler on one screen."""

from collections.abc import Collection, Sequence

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome, Severity, in_order
from smoadsl.diagnostics.source import ARGUMENT, Source, Span
from smoadsl.language import checked, pipeline_problems, problems
from smoadsl.language.check import Given, read_program
from smoadsl.language.load import Reader
from smoadsl.plan.bounds import PROMPT_TOKENS, Latency, bounds
from smoadsl.plan.lower import lower
from smoadsl.plan.optimize import optimize
from smoadsl.plan.plan import Plan
from smoadsl.plan.prove import prove


@dataclass(frozen=True, slots=True)
class Options:
    """What a plan is made for: a conversation of so many tokens, calls that take so long (seconds by model, `*` for all
    others), and passes of the optimiser that are left out."""

    prompt_tokens: int = PROMPT_TOKENS
    latency_s: Latency | None = None
    without: Collection[str] = ()


def analyse(source: Source, given: Given | None = None, reader: Reader | None = None) -> Outcome[checked.Program]:
    """What the file means, with all that it imports, and everything worth saying about it."""
    program = read_program(source, reader, given)
    return hold(program) if program.value and program.value.is_limited else program


def hold(program: Outcome[checked.Program], but: str | None = None) -> Outcome[checked.Program]:
    """The same program, its pipelines `but` one held against their budgets and contexts."""
    if not program.ok or program.value is None:
        return program
    found: list[Diagnostic] = []
    for pipeline in (program.value.pipelines[name] for name in program.value.main if name != but):
        lowered = lower(pipeline)
        found += prove(pipeline, lowered, optimize(lowered.plan))
    return Outcome(program.value, in_order([*program.diagnostics, *_errors_first(found)]))


def _errors_first(found: Sequence[Diagnostic]) -> Sequence[Diagnostic]:
    """The errors, where there are any: advice is given only where nothing is wrong."""
    errors = [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR]
    return errors or found


def compile(
    source: Source,
    pipeline: str | None = None,
    given: Given | None = None,
    reader: Reader | None = None,
    options: Options | None = None,
) -> Outcome[Plan]:
    """The plan of the file's pipeline (of the one named, where there are several), and everything worth saying.

    `reader` reads what the file imports and names; without one, it may name no other file.
    """
    program = read_program(source, reader, given)
    if not program.ok or program.value is None:
        return Outcome(None, program.diagnostics)
    chosen = choose(program.value, pipeline, source)
    if program.value.is_limited:
        program = hold(program, but=chosen.value.name if chosen.value else None)
    said = program.diagnostics
    if chosen.value is None or not program.ok:
        return Outcome(None, (*said, *chosen.diagnostics))
    made = plan_of(chosen.value, options)
    return Outcome(made.value, in_order([*said, *made.diagnostics]))


def plan_of(pipeline: checked.Pipeline, options: Options | None = None) -> Outcome[Plan]:
    """The plan of a checked pipeline, made cheaper, with its bounds; and whether it holds."""
    options = options or Options()
    lowered = lower(pipeline)
    plan = optimize(lowered.plan, options.without)
    said = tuple(_errors_first(list(prove(pipeline, lowered, plan, options.prompt_tokens))))
    limits = bounds(plan, options.prompt_tokens, options.latency_s)
    outcome = Outcome(plan.model_copy(update={"bounds": limits}), said)
    return outcome if outcome.ok else Outcome(None, said)


def choose(program: checked.Program, name: str | None, source: Source) -> Outcome[checked.Pipeline]:
    """The pipeline that is meant: the one named, else the file's only one."""
    whole_file = Span(source, 0, min(1, len(source.text)))
    if name is not None:
        if name in program.pipelines:
            return Outcome(program.pipelines[name])
        typed = Source(ARGUMENT, f"{source.name}:{name}")
        span = Span(typed, len(typed.text) - len(name), len(typed.text))
        return _refused(problems.unknown_name(span, name, "pipeline", program.pipelines))
    outer = [name for name in program.main if name not in program.inner]
    if len(outer) == 1:
        return Outcome(program.pipelines[outer[0]])
    if not outer:
        return _refused(pipeline_problems.no_pipeline(whole_file))
    return _refused(pipeline_problems.several_pipelines(whole_file, outer, source.name))


def _refused(diagnostic: Diagnostic) -> Outcome[checked.Pipeline]:
    return Outcome(None, (diagnostic,))
