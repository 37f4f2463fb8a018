"""Problems, to hold the wording of everything the language says to an author: one function for each code.

What parsing says is in `syntax_problems`, what is said of pipelines in `pipeline_problems`, of providers and models in
`provider_problems`. Codes are stable. Families: MOA0xx reading and syntax, MOA1xx names and imports, MOA2xx values and
types, MOA3xx pipelines, MOA4xx templates, MOA5xx providers, models and prices, MOA9xx advice.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from smoadsl.diagnostics.diagnostic import Diagnostic, Related, Severity
from smoadsl.diagnostics.source import Span
from smoadsl.diagnostics.suggest import closest, did_you_mean


def _error(code: str, span: Span, message: str, help: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, help, related)


def _advice(code: str, span: Span, message: str, help: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, Severity.ADVICE, message, span, help, related)


_CALLS = {  # how built-in functions are written
    "best": "best()", "choice": 'choice("A", "B")', "cluster": "cluster()", "consensus": "consensus()",
    "env": 'env("NAME")', "file": 'file("path")',
    "generate": "generate(MODEL, 4)", "json": 'json("field")', "moderator": "moderator(MODEL)",
    "number": "number", "pairwise": "pairwise(MODEL)", "random": "random()", "regex": 'regex("…")', "ring": "ring(1)",
    "router": "router(MODEL)", "score": "score(MODEL)", "text": "text", "vote": "vote()", "yes_no": "yes_no",
}  # fmt: skip
_MEND = (  # for a due type and what was found in its place: how one becomes the other
    ("a whole number", "a number with a fraction", "leave out the point and what follows it"),
    ("a duration", "a text", "write it without quotes"),
    ("a rate", "a number", "say in which time: `600/min`, `10/s`"),
    ("a rate", "a text", "write it without quotes"),
    ("a number", "a duration", "take the unit away"),
    ("a whole number", "a duration", "take the unit away"),
    ("a number", "an amount of money", "take the dollar sign away"),
    ("a whole number", "an amount of money", "take the dollar sign away"),
    ("an amount of money", "a text", "write it without quotes"),
    ("a number", "a measure", "compare with a number, or a param that is one"),
    ("an amount of money", "a measure", "compare with an amount such as `$0.05`, or a param that is one"),
    ("a duration", "a measure", "compare with a duration such as `20s`, or a param that is one"),
    ("a text", "a number", "write it in double quotes"),
    ("a text", "true or false", "write it in double quotes"),
    ("a model", "a text", 'declare it, `model NAME = "…"`, and write its name here'),
    ("a model", "a list", "name one of them"),
    ("a model or pipeline", "a list", "write its members themselves here"),
    ("a model or a list of models", "an empty list", "put a model into it"),
    ("one of", "a text", "write one of these words without quotes"),
    ("one of", "a name", "write one of these words"),
    ("a duration", "a number", "add a unit: `250ms`, `20s`, `2m`, `1h`"),
    ("a number", "a text", "write it without quotes"),
    ("a whole number", "a text", "write it without quotes"),
    ("an amount of money", "a number", "write it with a dollar sign: `$0.05`"),
    ("`true` or `false`", "a text", "write it without quotes"),
    ("the name of", "a text", "write it without quotes"),
    ("a declared name", "a text", "declare it, and write its name here without quotes"),
    ("a text", "a name", "write it in double quotes"),
    ("a list of texts", "a text", "put it in brackets: `[…]`"),
    ("a text", "a list", "take the brackets away"),
    ("a number", "a list", "take the brackets away"),
)

_MEANT = {  # other names of what conditions measure
    "agree": "agreement", "agreed": "agreement",
    "calls": "spent.calls", "consensus": "agreement", "consistency": "agreement", "cost": "spent.usd",
    "majority": "agreement", "money": "spent.usd", "rounds": "round", "score": "score.best", "time": "spent.time",
    "tokens": "spent.tokens", "usd": "spent.usd", "vote": "agreement",
}  # fmt: skip
_SETTINGS_ELSEWHERE = {
    "api_base": "base_url", "endpoint": "base_url", "host": "base_url", "url": "base_url", "key": "api_key",
    "token": "api_key", "max_completion_tokens": "max_tokens", "max_length": "max_tokens",
    "max_new_tokens": "max_tokens",
    "max_output_tokens": "max_tokens", "temp": "temperature", "stop_sequences": "stop", "max_retries": "retries",
    "reasoning_effort": "reasoning", "fallbacks": "fallback", "cost": "usd", "price": "usd", "money": "usd",
    "seconds": "time", "extra_body": "extra", "rpm": "rate", "tpm": "tokens_rate", "max_concurrency": "concurrency",
    "first_token_timeout": "ttft", "time_to_first_token": "ttft", "first_byte_timeout": "ttft",
}  # fmt: skip
_ROLES = ("role", "system", "system_prompt", "instructions", "persona", "prompt")
_VALUES = ("a number", "a whole number", "a duration", "a rate", "an amount", "a text", "`true`")  # no names
_TRUTHS = {"true": ("true", "yes", "on"), "false": ("false", "no", "off")}


# ---- MOA0xx: reading


def not_utf8(span: Span, offset: int) -> Diagnostic:
    return _error("MOA001", span, f"the file is not UTF-8: byte {offset} can not be read", "save the file as UTF-8")


def nul_character(span: Span) -> Diagnostic:
    return _error(
        "MOA002", span, "the file holds a NUL character, so it is no text", "save the file as plain UTF-8 text"
    )


def too_large(span: Span, size: int, most: int, unit: str = "characters") -> Diagnostic:
    return _error(
        "MOA003", span, f"the file has {size:,} {unit}; the most are {most:,} characters", "split it and use `import`"
    )


def too_deep(span: Span, most: int) -> Diagnostic:
    return _error("MOA004", span, f"nesting deeper than {most} levels", "give the inner parts names of their own")


def out_of_order(span: Span, what: str, after: str) -> Diagnostic:
    return _error("MOA015", span, f"`{what}` stands too late", f"move it before `{after}`")


# ---- MOA1xx: names and imports


def unknown_name(span: Span, name: str, what: str, known: Iterable[str]) -> Diagnostic:
    help = did_you_mean(name, known)
    if what == "model" and name in _CALLS and not help.startswith("did"):
        help = f"did you mean `{_CALLS[name]}`?"
    model = f'model {name} = "provider/id"'
    role, template = f'role {name} = "…"', f'template {name} = "…"'
    declared = {"model": model, "model or pipeline": model, "role": role, "template": template}
    if not help.startswith("did") and what in declared and name.isidentifier():
        help = f"{help}; or declare it: `{declared[what]}`" if help else f"declare it: `{declared[what]}`"
    if not help and what == "param":
        help = f"the file declares none: `param {name} = …` would be one" if name.isidentifier() else ""
    return _error("MOA101", span, f"no {what} is called `{name}`", help)


def in_more_places(told: Diagnostic, others: int) -> Diagnostic:
    """What is told of the first use of a name that nothing declares, when there are others."""
    places = "another place" if others == 1 else f"{others} more places"
    return replace(told, message=f"{told.message}, here and in {places}")


def declared_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return _error(
        "MOA102",
        span,
        f"`{name}` is declared twice",
        "give one of them another name",
        Related("first declared here", first),
    )


def wrong_kind(span: Span, name: str, found: str, due: str, known: Iterable[str], declared: Span) -> Diagnostic:
    message = f"`{name}` is a {found}; a {due} is due here"
    help = did_you_mean(name, known) or f"write the name of a {due}"
    return _error("MOA103", span, message, help, Related("declared here", declared))


def import_refused(span: Span, path: str, why: str, help: str = "") -> Diagnostic:
    help = help or "paths are relative to the file they stand in, and stay in the project"
    return _error("MOA104", span, f"`{path}` {why}", help)


def import_cycle(span: Span, chain: Sequence[str]) -> Diagnostic:
    return _error(
        "MOA105", span, "files import each other: " + " → ".join(chain), "move what both need into a third file"
    )


def stale_lock(span: Span, name: str, file: str) -> Diagnostic:
    message = f"the locked roles of `{name}` were made from something else"
    return _error("MOA106", span, message, f"run `smoadsl lock {file}` and review what changes")


def unreadable_lock(span: Span, lock: str, why: str) -> Diagnostic:
    help = "take back what changed in it; or remove it, make the roles anew by `smoadsl lock` and review them"
    return _error("MOA107", span, f"the lock `{lock}` {why}", help)


# ---- MOA2xx: values and types


def no_param(name: str, params: Iterable[str], due: str = "") -> str:
    """How to mend a name that stands for no value."""
    if due.startswith("`true`") and (truth := meant_truth(name)):
        return f"write `{truth}`"
    guess = did_you_mean(name, params)
    return guess if guess.startswith("did") else f"write the value itself, or declare it: `param {name} = …`"


def meant_truth(name: str) -> str:
    """`true` or `false` as other languages write them; empty for any other name."""
    return next((truth for truth, names in _TRUTHS.items() if name.lower() in names), "")


def wrong_type(span: Span, due: str, found: str, *related: Related, help: str = "") -> Diagnostic:
    kind = "a name" if found.startswith("the name") else "a measure" if found.startswith("the measure") else found
    mend = next((how for wanted, given, how in _MEND if due.startswith(wanted) and kind == given), "")
    help = mend or (help if due.startswith(_VALUES) else "")
    return _error("MOA201", span, f"{due} is due here, not {found}", help, *related)


def unknown_setting(span: Span, key: str, of: str, known: Iterable[str]) -> Diagnostic:
    names = list(known)
    meant = meant_setting(key, names)
    help = f"did you mean `{meant}`?" if meant else did_you_mean(key, names) or "take it away"
    if key in _ROLES and "temperature" in names:
        help = 'declare it, `role NAME = "…"`, and write `propose MODEL as NAME`'
    return _error("MOA202", span, f"{of} has no setting `{key}`", help)


def meant_setting(key: str, known: Collection[str]) -> str | None:
    """The setting that is meant by what other tools call it, or by a slip."""
    found = _SETTINGS_ELSEWHERE.get(key.lower())
    return found if found in known else closest(key, known)


def out_of_range(span: Span, due: str, help: str = "") -> Diagnostic:
    return _error("MOA203", span, f"out of range: {due} is due here", help)


def setting_twice(span: Span, key: str, first: Span) -> Diagnostic:
    return _error("MOA204", span, f"`{key}` is set twice", "keep one of them", Related("first set here", first))


def unknown_function(span: Span, name: str, where: str, known: Iterable[str] = (), mended: str = "") -> Diagnostic:
    """`mended` is what is written for a judge that is called what a model does without another word."""
    names = list(known)
    if mended:
        return _error("MOA205", span, f"`{name}` is no {where}", f"a model alone ranks: `{mended}`")
    if name in names:  # written as a function, though it is none
        return _error("MOA205", span, f"the {where} `{name}` takes nothing in parentheses", f"write `{name}`")
    return _error("MOA205", span, f"`{name}` is no {where}", did_you_mean(name, names))


def wrong_arguments(span: Span, name: str, due: str) -> Diagnostic:
    return _error("MOA206", span, f"`{name}` takes {due}", f"write `{_CALLS.get(name, f'{name}(…)')}`")


def env_elsewhere(span: Span) -> Diagnostic:
    return _error(
        "MOA207",
        span,
        "`env(…)` can stand only in a provider's settings",
        "move it to the provider's `api_key` or `headers`",
    )


def not_a_choice(span: Span, name: str, choices: str) -> Diagnostic:
    return _error(
        "MOA208", span, f"`{name}` must be one of {choices}", "choose one of them, or add this value to the list"
    )


def unknown_measure(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    if name == "moderator":
        return _error("MOA209", span, "`moderator` asks a model", f"name one: `{_CALLS[name]}`")
    help = f"did you mean `{_MEANT[name]}`?" if name in _MEANT else did_you_mean(name, known)
    return _error("MOA209", span, f"a condition knows no `{name}`", help)


def not_a_condition(span: Span, found: str, help: str = "") -> Diagnostic:
    if found.startswith("`moderator(") and not help:
        return _error("MOA210", span, "`moderator(…)` is compared with nothing", "write it alone, or after `not`")
    help = help or "compare it: `agreement >= 0.75`, `round >= 2`"
    return _error("MOA210", span, f"a condition is due here, not {found}", help)


def can_never_hold(span: Span, name: str, value: float, low: float, high: float) -> Diagnostic:
    bounds = f"lies between {low:g} and {high:g}" if high < math.inf else f"is never less than {low:g}"
    due = f"a number between {low:g} and {high:g}" if high < math.inf else f"more than {low:g}"
    message = f"this comes out the same in every run: `{name}` {bounds}"
    return _error("MOA211", span, message, as_share(value, low, high) or f"compare with {due}")


def as_share(value: float, low: float, high: float) -> str:
    """How a percentage is written where a share is due; empty where that is not so."""
    return f"a share is written as a number: `{value / 100:g}`" if (low, high) == (0, 1) and 5 <= value <= 100 else ""


def bad_pattern(span: Span, why: str) -> Diagnostic:
    return _error("MOA212", span, f"the pattern can not be read: {why}", "use Python's syntax of regular expressions")


def setting_missing(span: Span, of: str, key: str) -> Diagnostic:
    return _error("MOA213", span, f"{of} needs `{key}`", f"add `{key} = …`")


def bad_schema(span: Span, why: str, help: str, *named: Span) -> Diagnostic:
    """`named` is where the file is named, if the span is in the file itself."""
    related = [Related("named here", place) for place in named]
    help = help or "see https://json-schema.org for the form"
    return _error("MOA214", span, f"this is no JSON schema: {why}", help, *related)


def without_effect(span: Span, key: str, of: str, why: str, help: str = "take it away") -> Diagnostic:
    """`of` is what has the setting, `why` a clause that says what keeps it from doing anything."""
    return _error("MOA231", span, f"`{key}` has no effect on {of}: {why}", help)


def wrong_expectation(span: Span, fact: str, kind: str, how: str, help: str) -> Diagnostic:
    """`how` is what it is compared with, or by."""
    return _error("MOA232", span, f"`{fact}` is {kind}; it can not be compared {how}", help)


# ---- MOA4xx: templates


def template_syntax(span: Span, message: str, help: str = "") -> Diagnostic:
    return _error("MOA401", span, f"the template can not be read: {message}", help)


def template_unknown(span: Span, name: str, where: str, known: Iterable[str]) -> Diagnostic:
    return _error("MOA402", span, f"a template for {where} is given no `{name}`", did_you_mean(name, known))


def template_filter(span: Span, kind: str, name: str, known: Iterable[str]) -> Diagnostic:
    return _error("MOA403", span, f"templates have no {kind} `{name}`", did_you_mean(name, known))


def template_field(span: Span, name: str, noun: str, fields: Sequence[str], of_a_list: bool) -> Diagnostic:
    """`noun` is what is read, or what the list holds that is read as if it were one of them."""
    if not of_a_list:
        article = "an" if noun[0] in "aeiou" else "a"
        return _error("MOA404", span, f"{article} {noun} has no `{name}`", did_you_mean(name, fields))
    read = f"{{{{ one.{closest(name, fields) or fields[0]} }}}}"
    help = f"take each {noun} by itself: `{{% for one in … %}}{read}{{% endfor %}}`"
    return _error("MOA404", span, f"a list of {noun}s has no `{name}`", help)


# ---- MOA9xx: advice


def unused(span: Span, kind: str, name: str) -> Diagnostic:
    return _advice("MOA901", span, f"the {kind} `{name}` is used nowhere", "take it away")


def never_stops(span: Span) -> Diagnostic:
    help = "give the layer more rounds, such as `repeat 3`, or take the rule away"
    return _advice("MOA902", span, "this rule can never stop anything", help)


def only_similarity(span: Span) -> Diagnostic:
    return _advice(
        "MOA903",
        span,
        "texts that are alike may still claim the opposite",
        "compare final answers: say what they are with `answer`, and stop when `agreement >= 0.75`",
    )


def keeps_all(span: Span, agents: int) -> Diagnostic:
    return _advice("MOA904", span, f"this judge keeps all {agents} responses", "keep fewer, or take the judge away")


def not_locked(span: Span, name: str, file: str) -> Diagnostic:
    return _advice(
        "MOA905",
        span,
        f"the roles of `{name}` are in no lock yet",
        f"run `smoadsl lock {file}` and commit what it writes",
    )


def may_not_fit(span: Span, model: str, prompt: int, read: int, write: int, context: int) -> Diagnostic:
    return _advice(
        "MOA906",
        span,
        f"for a prompt of {prompt:,} tokens this reads up to {read:,} and writes up to {write:,}, "
        f"and `{model}` can hold {context:,}",
        "lower the `max_tokens` of those it reads, or `keep` fewer of them",
    )


def remarks_unread(span: Span, layer: str) -> Diagnostic:
    message = f"nobody reads these remarks: layer `{layer}` has no round after them"
    return _advice("MOA931", span, message, "give the layer another round, `repeat 2`, or take `feedback` away")
