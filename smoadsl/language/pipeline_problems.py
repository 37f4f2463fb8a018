"""Pipeline problems, to hold the wording of what does not fit together in pipelines and tests: MOA3xx."""

from collections.abc import Iterable, Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Related, Severity
from smoadsl.diagnostics.source import Span
from smoadsl.diagnostics.suggest import did_you_mean


def _error(code: str, span: Span, message: str, help: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, help, related)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def too_many(span: Span, what: str, count: int, active: int, best: int) -> Diagnostic:
    """`what` is the sentence's beginning: "the judge can not keep", "a quorum can not wait for"; `best` the most that
    makes sense."""
    help = f"write {best} or fewer" if best > 0 else "take it away: there is nothing to choose"
    noun = "agent" if what.endswith("activate") else "response"
    return _error("MOA301", span, f"{what} {count} of {_count(active, noun)}", help)


def no_aggregate(span: Span, name: str) -> Diagnostic:
    return _error("MOA302", span, f"pipeline `{name}` has no aggregate", "end it with `aggregate MODEL`")


def stands_twice(span: Span, what: str, where: str, first: Span) -> Diagnostic:
    return _error("MOA303", span, f"`{what}` stands twice in {where}", "keep one of them", Related("first here", first))


def empty_layer(span: Span, name: str) -> Diagnostic:
    return _error("MOA304", span, f"layer `{name}` proposes nothing", "add `propose MODEL, MODEL`")


def roles_do_not_fit(span: Span, roles: int, agents: int) -> Diagnostic:
    return _error(
        "MOA305",
        span,
        f"{_count(roles, 'role')} for {_count(agents, 'agent')}",
        f"deal out {_count(agents, 'role')}, or give one `role` to all of them",
    )


def keep_missing(span: Span) -> Diagnostic:
    return _error("MOA306", span, "nobody uses this judge's verdict", "say how many responses go on: `keep 2`")


def name_taken(span: Span, what: str, name: str, first: Span) -> Diagnostic:
    return _error(
        "MOA307",
        span,
        f"two {what}s are called `{name}`",
        "give one of them another name",
        Related("the first", first),
    )


def when_on_first(span: Span) -> Diagnostic:
    return _error(
        "MOA308",
        span,
        "`when` can not stand on the first layer",
        "its condition speaks of the layer before it; take it away",
    )


def needs_scores(span: Span, name: str) -> Diagnostic:
    return _error("MOA309", span, f"`{name}` needs a judge that scores", "judge with `score(MODEL)`")


def best_without_judge(span: Span) -> Diagnostic:
    return _error(
        "MOA310",
        span,
        "`best()` needs a judge that ranks",
        "add a `judge` to the last layer, or aggregate with `vote()` or a model",
    )


def nothing_to_aggregate(span: Span, name: str) -> Diagnostic:
    return _error(
        "MOA321",
        span,
        f"`{name}()` has no responses to choose from",
        "add a layer that proposes some, or aggregate with a model",
    )


def unknown_agent(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    message = f"no agent of this layer, or of one that can have run before it, is called `{name}`"
    return _error("MOA311", span, message, did_you_mean(name, known))


def no_pipeline(span: Span) -> Diagnostic:
    return _error("MOA312", span, "the file has no pipeline", "add `pipeline NAME { … aggregate MODEL }`")


def several_pipelines(span: Span, names: Sequence[str], file: str) -> Diagnostic:
    listed = ", ".join(f"`{name}`" for name in names)
    return _error("MOA313", span, f"the file has several pipelines: {listed}", f"name one: `{file}:{names[0]}`")


def unknown_recipient(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return _error("MOA314", span, f"the pipeline asks nobody called `{name}`", did_you_mean(name, known))


def wrong_reply(span: Span, whom: str, due: str) -> Diagnostic:
    return _error("MOA315", span, f"{whom} can not reply so", f"write {due}")


def unknown_expectation(span: Span, name: str, known: Iterable[str], mended: str = "") -> Diagnostic:
    """`mended` is what is written for it, where that is known."""
    help = f"write `{mended}`" if mended else did_you_mean(name, known)
    return _error("MOA316", span, f"a run has no `{name}` to expect", help)


def no_prompt(span: Span) -> Diagnostic:
    return _error("MOA317", span, "this test asks nothing", 'add `prompt "…"`')


def pipeline_cycle(span: Span, chain: Sequence[str]) -> Diagnostic:
    return _error(
        "MOA318", span, "pipelines contain each other: " + " → ".join(chain), "take one of them out of the circle"
    )


def pipeline_block(span: Span) -> Diagnostic:
    return _error(
        "MOA319", span, "a pipeline takes no settings from outside", "put the settings on the models inside it"
    )


def too_large_to_run(span: Span, what: str) -> Diagnostic:
    return _error("MOA320", span, what, "use fewer agents or rounds, the innermost first")


def budget_too_small(span: Span, limit: str, needed: str, enough: str, prompt_bytes: int) -> Diagnostic:
    """`enough` is a setting that holds a run of a prompt of so many bytes in which nothing fails."""
    return _error(
        "MOA331",
        span,
        f"a budget of {limit} holds no run as written: its first answers and the last alone may take {needed}",
        f"write `{enough}`: that holds a prompt of {prompt_bytes:,} characters and all that is read, if nothing fails; "
        "or let it take less: fewer agents, a lower `max_tokens`",
    )
