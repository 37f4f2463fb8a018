"""Check, to turn the nodes of a file set into a program that means something, and say all that stands in the way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from smoadsl.adapters import installed_adapters
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome, in_order
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import checked, nodes, pipeline_problems, problems, provider_problems, rules
from smoadsl.language.advice import advice
from smoadsl.language.compose import Composer
from smoadsl.language.declare import Declarations, Overrides
from smoadsl.language.load import Loaded, Reader, load
from smoadsl.language.parse import parse_value
from smoadsl.language.resolve import Names
from smoadsl.language.testing import Casts, read_test


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller gives beside the files: values of params, models and base URLs that stand in for written ones.

    `roles_may_change`: a lock that is stale is not refused; whoever runs the program makes its roles anew.
    `adapters` names the adapters of other packages: asked only for a name that is none of ours, and none is loaded.

    All texts: `params` as `--set NAME=VALUE` takes them, `models` as "provider/id" (`*` for every model).
    """

    params: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    base_urls: Mapping[str, str] = field(default_factory=dict)
    roles_may_change: bool = False
    adapters: Callable[[], Sequence[str]] = installed_adapters


def read_program(source: Source, reader: Reader | None, given: Given | None = None) -> Outcome[checked.Program]:
    """What a file means, with all that it imports, and what is to be said of both."""
    loaded = load(source, reader)
    assert loaded.value is not None  # loading always gives a file set, though perhaps an empty one
    given = given or Given()
    program = check(loaded.value, given)
    said = program.diagnostics
    if program.ok and (given.params or given.models or given.base_urls):
        said = _advice_as_written(loaded.value, given)
    return Outcome(program.value, in_order([*loaded.diagnostics, *said]))


def _advice_as_written(loaded: Loaded, given: Given) -> tuple[Diagnostic, ...]:
    """The advice on a file set without what stands in for a while: with that, what it declares may be used nowhere."""
    written = check(loaded, replace(given, params={}, models={}, base_urls={}))
    return written.diagnostics if written.ok else ()


def check(loaded: Loaded, given: Given | None = None) -> Outcome[checked.Program]:
    """The program that a file set means."""
    files, source = loaded.files, loaded.source
    given = given or Given()
    names = Names(missing=loaded.missing)
    names.collect(files)
    _set_params(names, given)
    declarations = Declarations(names, _overrides(names, given), loaded.reader)
    for node in names.declared.values():
        match node:
            case nodes.Provider():
                declarations.provider(node.name.text, node.name.span)
            case nodes.Model():
                declarations.declared_model(node)
            case nodes.Role():
                declarations.role(node)
            case nodes.Roles():
                declarations.roles(node)
            case nodes.Template():
                declarations.declared_template(node)
            case nodes.Param():
                rules.constant(names, node.value)
            case nodes.Pipeline():
                pass
    composer = Composer(declarations)
    pipelines = {p.name.text: composer.pipeline(p) for p in names.declared.values() if isinstance(p, nodes.Pipeline)}
    declarations.unused_templates()
    whole = {name: pipeline for name, pipeline in pipelines.items() if pipeline}
    tests: list[checked.Test | None] = []
    casts = Casts()
    for item in files[0].items:
        if isinstance(item, nodes.Test):
            tests.append(read_test(names, whole, casts, item))
    if loaded.whole and not names.declared:
        names.said.append(pipeline_problems.no_pipeline(Span(source, 0, min(1, len(source.text)))))
    main = tuple(item.name.text for item in files[0].items if isinstance(item, nodes.Pipeline))
    recipes = declarations.recipes
    inner, read = frozenset(composer.inner), tuple(test for test in tests if test)
    program = checked.Program(whole, main, inner, read, recipes, _is_limited(names))
    if loaded.whole and not names.said:
        names.said.extend(advice(names, program, files, given.roles_may_change))
    return Outcome(program, names.all_said())


def _is_limited(names: Names) -> bool:
    for node in names.declared.values():
        match node:
            case nodes.Pipeline():
                if any(isinstance(statement, nodes.Budget) for statement in node.statements):
                    return True
            case nodes.Model():
                if node.settings and any(setting.key.text == "context" for setting in node.settings.settings):
                    return True
            case _:
                pass
    return False


def _overrides(names: Names, given: Given) -> Overrides:
    models = {name: _text(f"--model {name}=", value) for name, value in given.models.items()}
    base_urls = {name: _text(f"--base-url {name}=", value) for name, value in given.base_urls.items()}
    known = names.of_kind(nodes.Model)
    for name, text in models.items():
        if name != "*" and name not in known:
            names.said.append(problems.unknown_name(text.span, name, "model", known))
    providers = {*names.of_kind(nodes.Provider), *WELL_KNOWN}
    for name, text in base_urls.items():
        if name not in providers and not names.unread(name):
            names.said.append(provider_problems.unknown_provider(text.span, name, sorted(providers)))
    return Overrides(models, base_urls, given.roles_may_change, given.adapters)


def _text(option: str, value: str) -> nodes.Text:
    span = Span(Source(option.rstrip("="), value), 0, len(value))
    return nodes.Text(span, value, (0,))


def _set_params(names: Names, given: Given) -> None:
    """Values from the command line must be of the type of the param's own, and among its choices."""
    values: dict[str, nodes.Value] = {}
    known = {item.name.text: item for item in names.declared.values() if isinstance(item, nodes.Param)}
    for name, written in given.params.items():
        source = Source(f"--set {name}", written)
        span = Span(source, 0, len(written))
        if name not in known:
            names.said.append(problems.unknown_name(span, name, "param", known))
            continue
        read = parse_value(source)
        value = read.value
        if value is None and isinstance(known[name].value, nodes.Text):
            value = nodes.Text(span, written)  # a text needs no quotes where the shell has its own
        elif value is None:
            names.said.extend(read.diagnostics)
            continue
        if type(value) is not type(known[name].value):
            due = rules.describe(known[name].value)
            names.said.append(problems.wrong_type(span, due, rules.describe(value)))
            continue
        values[name] = value
    names.params = values
    for name, param in known.items():
        chosen = values.get(name, param.value)
        if param.choices and chosen not in param.choices.items:
            names.said.append(problems.not_a_choice(chosen.span, name, param.choices.span.text))
