"""Plan, to show what a pipeline will do and can cost before anything is paid for, and what a change does to that."""

import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, NoReturn, TypeVar, get_args

import click

from smoadsl.diagnostics.diagnostic import Outcome, Severity
from smoadsl.diagnostics.render.text import harmless, printable
from smoadsl.language.check import Given
from smoadsl.plan.bounds import PROMPT_TOKENS
from smoadsl.plan.compile import Options
from smoadsl.plan.diff import Reviewed, diff
from smoadsl.plan.plan import Plan
from smoadsl.show.safe import encodable
from smoadsl.show.steps import plan_text
from smoadsl.tools.gates import Gates, exceeded
from smoadsl.tools.named import Named, compiled, named
from smoadsl.tools.options import (
    Exit,
    given,
    given_options,
    in_utf8,
    paints,
    problems_exit,
    root_option,
    show_diagnostics,
    text_width,
)
from smoadsl.tools.revision import RevisionError
from smoadsl.tools.sizing import Dollars, check_names, sized, without_option

F = TypeVar("F", bound=Callable[..., Any])
Format = Literal["text", "json", "markdown", "github", "sarif", "junit"]
_FOR_CI = ("github", "sarif", "junit")


def _size_options(command: F) -> F:
    """What the plan is made for."""
    command = without_option(command)
    command = click.option("--latency", "latencies", multiple=True, metavar="[NAME=]TIME",
                           help="What a call takes, of the model NAME or of all others.")(command)  # fmt: skip
    return click.option("--prompt-tokens", type=click.IntRange(min=1), default=PROMPT_TOKENS, show_default=True,
                        metavar="N", help="The size of the prompt that the bounds are for.")(command)  # fmt: skip


def _gate_options(command: F) -> F:
    """What the plan is held to at worst."""
    command = click.option("--max-tokens", type=click.IntRange(min=0), metavar="N",
                           help="Exit with 1 if a prompt can take more tokens.")(command)  # fmt: skip
    command = click.option("--max-calls", type=click.IntRange(min=0), metavar="N",
                           help="Exit with 1 if a prompt can take more calls.")(command)  # fmt: skip
    return click.option("--max-usd", type=Dollars(), metavar="USD",
                        help="Exit with 1 if a prompt can cost more, or if nobody knows.")(command)  # fmt: skip


@click.command()
@click.argument("file", metavar="[REV:]FILE[:NAME]")
@click.option("--pipeline", metavar="NAME", help="Which pipeline, as :NAME behind the file says it.")
@click.option("--messages", "prompt", metavar="PROMPT", help="The messages of each call that PROMPT would take.")
@click.option(
    "--against", metavar="[REV:]FILE[:NAME]", help="What changed since that file, or that git revision of it."
)
@click.option("--format", "format_", type=click.Choice(get_args(Format)),
              help="Markdown, with --against: a comment on a change. For CI: problems and limits.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@_gate_options
@_size_options
@root_option
@given_options
def command(
    file: str,
    pipeline: str | None,
    prompt: str | None,
    against: str | None,
    format_: Format | None,
    as_json: bool,
    max_usd: Decimal | None,
    max_calls: int | None,
    max_tokens: int | None,
    prompt_tokens: int,
    latencies: tuple[str, ...],
    without: tuple[str, ...],
    root: str | None,
    params: tuple[str, ...],
    models: tuple[str, ...],
    base_urls: tuple[str, ...],
) -> None:
    """Show what the pipeline in FILE will do (FILE:NAME where it has several), as it lies there or was at the git
    revision REV."""
    form = _format(format_, as_json, prompt, against)
    what = _which(file, pipeline)
    wanted, options = given(params, models, base_urls), sized(prompt_tokens, latencies, without)
    gates = Gates(max_usd, max_calls, max_tokens)
    if form in _FOR_CI:
        _write_for_ci(what, _compiled(what, wanted, options, root), gates, form)
    reviewed = _plan(what, wanted, options, root)
    check_names(reviewed.plan, options)
    if prompt is not None:
        _show_messages(reviewed.plan, prompt, form)
    elif against is not None:
        _show_difference(_other(against, what, wanted, options, root), reviewed, gates, form)
    elif form == "json":
        _write(reviewed.plan.model_dump_json(indent=2) + "\n")
    else:
        _print(plan_text(reviewed.plan, text_width()))
    sentences = list(exceeded(reviewed.plan, gates))
    for sentence in sentences:
        click.echo(f"error: {printable(sentence)}", err=True)
    sys.exit(Exit.PROBLEMS if sentences else Exit.DONE)


def _format(format_: Format | None, as_json: bool, prompt: str | None, against: str | None) -> Format:
    if as_json and format_ not in (None, "json"):
        raise click.UsageError(f"--json and --format {format_} are two formats")
    if prompt is not None and against is not None:
        raise click.UsageError("--messages shows one plan, --against compares two: give one of them")
    if prompt is not None and not prompt.strip():
        raise click.UsageError("--messages needs a prompt that is not empty")
    if format_ == "markdown" and against is None:
        raise click.UsageError("--format markdown is a comment on a change: give --against as well")
    if format_ in _FOR_CI and (prompt is not None or against is not None):
        raise click.UsageError(f"--format {format_} tells problems and limits: leave --messages and --against out")
    return "json" if as_json else format_ or "text"


def _which(file: str, pipeline: str | None) -> Named:
    what = named(file)
    if pipeline is None:
        return what
    if what.pipeline not in (None, pipeline):
        raise click.UsageError(f"{file} and --pipeline {pipeline} name two pipelines")
    return replace(what, pipeline=pipeline)


def _plan(what: Named, wanted: Given, options: Options, root: str | None, is_other: bool = False) -> Reviewed:
    """The plan of what is named; the end where there is none. Of the other side's file only its errors are told."""
    outcome = _compiled(what, wanted, options, root)
    if outcome.value is None or not is_other:
        show_diagnostics(outcome.diagnostics)
    if outcome.value is None:
        if is_other:
            click.echo(f"error: there is no plan of {printable(what.shown)} to compare with", err=True)
        sys.exit(problems_exit(outcome.diagnostics))
    return outcome.value


def _compiled(what: Named, wanted: Given, options: Options, root: str | None) -> Outcome[Reviewed]:
    try:
        return compiled(what, wanted, options, root)
    except OSError as error:
        raise click.UsageError(f"{what.file}: {error.strerror or error}") from None
    except RevisionError as error:
        raise click.UsageError(str(error)) from None


def _other(against: str, what: Named, wanted: Given, options: Options, root: str | None) -> Reviewed:
    """The plan to compare with: of another revision of the same file the same pipeline, unless one is named."""
    other = named(against)
    if other.pipeline is None and other.file == what.file:
        other = replace(other, pipeline=what.pipeline)
    return _plan(other, wanted, options, root, is_other=True)


# ---- what is shown


def _write_for_ci(what: Named, outcome: Outcome[Reviewed], gates: Gates, form: Format) -> NoReturn:
    from smoadsl.tools.formats import write
    from smoadsl.tools.gated import document, over

    said = (*outcome.diagnostics, *over(what, outcome, gates))
    write(document(what, said, form))
    bad = any(one.severity is Severity.ERROR for one in said)
    sys.exit(problems_exit(said) if bad else Exit.DONE)


def _show_messages(plan: Plan, prompt: str, form: Format) -> None:
    from smoadsl.runtime.conversation import Conversation  # the runtime takes a moment to import
    from smoadsl.runtime.executor import RunError
    from smoadsl.show.messages import messages_text
    from smoadsl.tools.messages import TooManyCalls, preview

    try:
        shown = preview(plan, Conversation.of(in_utf8("--messages", prompt)))
    except TooManyCalls as error:
        raise click.UsageError(f"--messages: {error}") from None
    except RunError as error:
        click.echo(f"error: with placeholders for responses, {printable(str(error))}", err=True)
        sys.exit(Exit.FAILED)
    if form == "json":
        _write(shown.model_dump_json(indent=2) + "\n")
    else:
        _print(messages_text(shown))


def _show_difference(before: Reviewed, after: Reviewed, gates: Gates, form: Format) -> None:
    from smoadsl.show import markdown
    from smoadsl.show.difference import difference_text
    from smoadsl.show.difference_markdown import difference_markdown

    difference = diff(before, after)
    if form == "json":
        _write(difference.model_dump_json(indent=2) + "\n")
    elif form == "markdown":
        _write(difference_markdown(difference, list(exceeded(after.plan, gates, markdown.code))))
    else:
        _print(difference_text(difference, colour=paints(sys.stdout)))


def _print(text: str) -> None:
    """For people, in what their terminal can show."""
    click.echo(encodable(harmless(text), sys.stdout.encoding), nl=False)


def _write(document: str) -> None:
    """For machines: UTF-8 whatever the locale says."""
    click.echo(harmless(document).encode("utf-8", "backslashreplace"), nl=False)
