"""Declare, to turn what is declared outside pipelines into what it means: providers, models, roles and templates."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from smoadsl.adapters import ADAPTERS, IN_PROCESS
from smoadsl.builtins.prompts import Place, built_in
from smoadsl.builtins.providers import WELL_KNOWN
from smoadsl.calls.route import Env, Provider
from smoadsl.classes import dataclass
from smoadsl.diagnostics.source import Span
from smoadsl.diagnostics.suggest import did_you_mean
from smoadsl.language import checked, nodes, problems, provider_problems, rules, settings
from smoadsl.language.brackets import MOST_NESTING
from smoadsl.language.load import Reader, read_beside, whole
from smoadsl.language.lock import BadLock, Entry, fingerprint, lock_name, read_lock
from smoadsl.language.resolve import Names
from smoadsl.language.taken import say_idle, say_untaken

MOST_GENERATED = 20_000


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line puts in the place of what is written: models, and where providers are reached. `adapters`
    names those of other packages, and is asked only where a name is none of ours."""

    models: Mapping[str, nodes.Text] = field(default_factory=dict)
    base_urls: Mapping[str, nodes.Text] = field(default_factory=dict)
    roles_may_change: bool = False
    adapters: Callable[[], Sequence[str]] = tuple


class Declarations:
    """The meaning of each declared name, worked out once, when it is first asked for."""

    def __init__(self, names: Names, overrides: Overrides, reader: Reader) -> None:
        self.names = names
        self._reader = reader
        self._overrides = overrides
        self._providers: dict[str, Provider | None] = {}
        self._models: dict[str, checked.Model | None] = {}
        self._templates: dict[str, checked.Template | None] = {}
        self._checked: set[tuple[str, Place | None]] = set()  # templates, and the places for which they were checked
        self._recipes: dict[str, tuple[checked.Recipe, list[checked.Role]] | None] = {}
        self._locks: dict[str, Mapping[str, Entry]] = {}  # by the file that they belong to
        self._unknown: dict[str, set[tuple[str, int]]] = {}  # names told, by template
        self._generated = 0  # how many roles all lists that are made have
        self._open: list[str] = []  # the chain of fallbacks being followed

    # ---- providers

    def provider(self, name: str, span: Span, written: str = "") -> Provider | None:
        """The declared or well-known provider of that name, which is part of what is `written`."""
        if name not in self._providers:
            declared = self.names.declared.get(name)
            if isinstance(declared, nodes.Provider):
                found = self._declared_provider(declared)
            elif name in WELL_KNOWN:
                row = WELL_KNOWN[name]
                found = Provider(name, row.adapter, row.base_url, Env(row.key) if row.key else None)
            elif self.names.unread(name):
                found = None
            else:
                known = [*self.names.of_kind(nodes.Provider), *WELL_KNOWN] if self.names.helps else []
                self.names.say_unknown(f"{name}/", provider_problems.unknown_provider(span, name, known, written))
                return None
            self._providers[name] = self._elsewhere(found) if found else None
        return self._providers[name]

    def _declared_provider(self, node: nodes.Provider) -> Provider | None:
        read = rules.read_settings(self.names, node.settings, settings.PROVIDER, "a provider")
        adapter = self.names.value(node.value)
        if not isinstance(adapter, nodes.Ref):
            rules.wrong_type(self.names, node.value, "the name of an adapter")
            return None
        if adapter.name not in ADAPTERS and adapter.name not in (others := self._overrides.adapters()):
            row = WELL_KNOWN.get(adapter.name)
            self.names.said.append(
                provider_problems.provider_as_adapter(adapter.span, adapter.name, row.adapter, row.base_url)
                if row
                else provider_problems.unknown_adapter(adapter.span, adapter.name, [*ADAPTERS, *others])
            )
            return None
        written = {s.key.text: s.value.span for s in node.settings.settings} if node.settings else {}
        base_url = read.get("base_url", "")
        if adapter.name in IN_PROCESS:
            given = node.settings.settings if node.settings else ()
            idle = [setting.key for setting in given if setting.key.text in settings.USES_NO_NETWORK]
            why = "its models run inside this process"
            self.names.said += [problems.without_effect(key.span, key.text, "this provider", why) for key in idle]
            return None if idle else self._paced(Provider(node.name.text, adapter.name), read)
        meant = {problems.meant_setting(key, settings.PROVIDER) for key in written.keys() - settings.PROVIDER.keys()}
        if adapter.name in ADAPTERS and not {"base_url"} & {*written, *meant} and not self.names.lost(node, "base_url"):
            self.names.said.append(provider_problems.no_base_url(node.name.span, node.name.text))
        elif "base_url" in read and not self._good_url(
            base_url, written["base_url"], "api_key" in read, read.get("local", False)
        ):
            return None
        provider = Provider(
            node.name.text, adapter.name, base_url.rstrip("/"), read.get("api_key"), read.get("headers", {})
        )
        return self._paced(replace(provider, local=read.get("local", False)), read)

    def _paced(self, provider: Provider, read: Mapping[str, Any]) -> Provider:
        """The provider with the limits that its settings name."""
        named = {
            "concurrency": "concurrency",
            "rate": "rate",
            "tokens_rate": "tokens_rate",
            "timeout_s": "timeout",
            "ttft_s": "ttft",
            "retries": "retries",
        }
        return replace(provider, **{into: read[key] for into, key in named.items() if key in read})

    def _good_url(self, url: str, span: Span, with_key: bool, local: bool) -> bool:
        from smoadsl.language import urls  # only where a file has a URL

        why = urls.wrong_with_url(url)
        if why:
            self.names.said.append(provider_problems.bad_base_url(span, why))
        elif with_key and url.startswith("http:") and not urls.to_this_machine(url):
            self.names.said.append(provider_problems.key_in_clear(span, url))
        elif not local and (host := urls.private_host(url)):
            self.names.said.append(provider_problems.private_address(span, host))
        else:
            return True
        return False

    def _elsewhere(self, provider: Provider) -> Provider | None:
        """The provider, reached where the command line says, which may be in a private network. A key is bound to its
        declared origin and stays behind."""
        text = self._overrides.base_urls.get(provider.name)
        if text is None:
            return provider
        if not self._good_url(text.value, text.span, with_key=False, local=True):
            return None
        from smoadsl.adapters.address import origin

        same = origin(text.value) == origin(provider.base_url)
        moved = replace(provider, base_url=text.value.rstrip("/"), local=True)
        return moved if same else moved.without_keys()

    # ---- models

    def model(self, ref: nodes.Ref, span: Span) -> checked.Model | None:
        """The model that a name means at a place; the name itself may stand in the value of a param."""
        node = self.names.find(ref.name, span, (nodes.Model,), "model", ref.span)
        return self.declared_model(node) if node else None

    def model_of(self, node: nodes.Value) -> checked.Model | None:
        """The model that a value names, itself or through a param."""
        ref = rules.name(self.names, node, "a model")
        return self.model(ref, node.span) if ref else None

    def declared_model(self, node: nodes.Model) -> checked.Model | None:
        name = node.name.text
        if name not in self._models:
            self._models[name] = self._read_model(node)
        return self._models[name]

    def _read_model(self, node: nodes.Model) -> checked.Model | None:
        read = rules.read_settings(self.names, node.settings, settings.OF_A_MODEL, "a model")
        swap = self._overrides.models.get(node.name.text) or self._overrides.models.get("*")
        value = swap or self.names.value(node.value)
        if isinstance(value, nodes.Call) and value.name.text in {*WELL_KNOWN, *self.names.of_kind(nodes.Provider)}:
            id_ = next((arg.value for arg in value.args if isinstance(arg, nodes.Text)), "")
            self.names.said.append(provider_problems.bad_model(value.span, id_, value.name.text))
            return None
        if not isinstance(value, nodes.Text):
            rules.wrong_type(self.names, node.value, 'a text like "provider/id"')
            return None
        provider_name, slash, id_ = value.value.partition("/")
        if not (slash and provider_name and id_) or "://" in value.value or any(c.isspace() for c in value.value):
            if not self.names.lost(value):
                self.names.said.append(provider_problems.bad_model(value.span, value.value))
            return None
        at = value.lines[0] if value.lines else value.span.start
        self.names.used.add(provider_name)
        provider = self.provider(provider_name, Span(value.span.source, at, at + len(provider_name)), value.value)
        if read.get("fallback_on_refusal") and "fallback" not in read:
            self._say_idle_refusals(node)
        fallbacks = self._fallbacks(node, read.pop("fallback", ()))
        if swap:  # another model has another price, and reads another amount
            read = {key: setting for key, setting in read.items() if key not in ("price", "context")}
        own = self.names.value(node.value)
        written = own.value if isinstance(own, nodes.Text) else value.value
        if provider is None:
            return None
        model = checked.Model(node.name.text, provider, id_, written, read, fallbacks, node.span)
        say_untaken(self.names, model, node.settings, read)
        say_idle(self.names, model, node.settings)
        return model

    def _say_idle_refusals(self, node: nodes.Model) -> None:
        """Say that nobody is there to be asked what the model refuses, unless somebody may have been meant."""
        keys = {setting.key.text: setting.key.span for setting in (node.settings.settings if node.settings else ())}
        meant = {problems.meant_setting(key, settings.MODEL) for key in keys.keys() - settings.MODEL.keys()}
        if "fallback" in (*keys, *meant) or self.names.lost(node, "fallback"):
            return
        why, help = "nobody else is asked in its place", "name somebody, `fallback = …`, or take it away"
        self.names.said.append(
            problems.without_effect(keys["fallback_on_refusal"], "fallback_on_refusal", "this model", why, help)
        )

    def _fallbacks(self, node: nodes.Model, refs: Sequence[nodes.Ref]) -> tuple[checked.Model, ...]:
        """The models to be asked in a model's place, in order, those of its fallbacks behind them, each once."""
        self._open.append(node.name.text)
        found: dict[str, checked.Model] = {}
        for ref in refs:
            if ref.name in self._open:
                chain = [*self._open[self._open.index(ref.name) :], ref.name]
                self.names.said.append(provider_problems.fallback_cycle(ref.span, chain))
                continue
            if len(self._open) >= MOST_NESTING and ref.name not in self._models:
                self.names.said.append(problems.too_deep(ref.span, MOST_NESTING))
                continue
            model = self.model(ref, ref.span)
            for one in (model, *model.fallbacks) if model else ():
                found.setdefault(one.name, one)
        self._open.pop()
        return tuple(found.values())

    # ---- roles and templates

    def role(self, node: nodes.Role) -> checked.Role | None:
        text = rules.text(self.names, node.value)
        return None if text is None else checked.Role(node.name.text, text)

    def roles(self, node: nodes.Roles) -> list[checked.Role] | None:
        value = self.names.value(node.value)
        if isinstance(value, nodes.Call) and value.name.text == "generate":
            if node.name.text not in self._recipes:
                self._recipes[node.name.text] = self._recipe(node, value)
            made = self._recipes[node.name.text]
            return made[1] if made else None
        if node.settings:
            rules.read_settings(self.names, node.settings, {}, "a written list of roles")
        if not isinstance(value, nodes.List):
            rules.wrong_type(self.names, node.value, "a list of texts")
            return None
        texts = [rules.text(self.names, item) for item in value.items]
        named = [checked.Role(f"{node.name.text}.{i}", text) for i, text in enumerate(texts, 1) if text is not None]
        return named if len(named) == len(texts) else None

    @property
    def recipes(self) -> tuple[checked.Recipe, ...]:
        return tuple(made[0] for made in self._recipes.values() if made)

    def _recipe(self, node: nodes.Roles, call: nodes.Call) -> tuple[checked.Recipe, list[checked.Role]] | None:
        """How the list is made, and its roles: those of the lock, or stand-ins until it has them."""
        due = "a model and how many roles"
        args = rules.arguments(
            self.names, call, due, rules.as_written, rules.number(1, settings.MOST_AGENTS, whole=True)
        )
        read = rules.read_settings(self.names, node.settings, settings.ROLES, "a generated list of roles")
        template = self.template_for(read, "roles")
        model = self.model_of(call.args[0]) if args else None
        if model is None or not args or ("template" in read and template is None):
            return None
        for setting in node.settings.settings if node.settings and template else ():
            key = setting.key.text
            if key in ("dataset", "task") and template and not uses(template, key):
                why, help = (
                    f"the template `{template.name}` does not use it",
                    f"write `{{{{ {key} }}}}` in the template",
                )
                self.names.said.append(problems.without_effect(setting.key.span, key, "these roles", why, help))
        self._generated += int(args[1])
        if self._generated > MOST_GENERATED:
            due = f"a number that leaves it at {MOST_GENERATED:,} generated roles in all"
            if self._generated - int(args[1]) <= MOST_GENERATED:
                self.names.said.append(problems.out_of_range(call.args[1].span, due))
            return None
        name, n, dataset, task = node.name.text, int(args[1]), read.get("dataset", ""), read.get("task", "")
        print_ = fingerprint(model, n, dataset, task, template.text if template else built_in("roles"))
        entry = self._entry(name, call.span)
        locked = entry is not None and entry.fingerprint == print_
        if entry is not None and not locked and not self._overrides.roles_may_change:
            self.names.said.append(problems.stale_lock(call.span, name, node.span.source.name))
        recipe = checked.Recipe(name, model, n, dataset, task, template, print_, locked, call.span)
        texts = entry.roles if entry and locked else [f"You are assistant {i} of {n}." for i in range(1, n + 1)]
        return recipe, [checked.Role(f"{name}.{i}", text, recipe) for i, text in enumerate(texts, 1)]

    def _entry(self, name: str, span: Span) -> Entry | None:
        """What the lock beside the file of a list has of it. That a lock can not be read is told once."""
        source = span.source
        if source.name not in self._locks:
            try:
                self._locks[source.name] = read_lock(source, self._reader)
            except BadLock as why:
                self._locks[source.name] = {}
                self.names.said.append(problems.unreadable_lock(span, lock_name(source), str(why)))
        return self._locks[source.name].get(name)

    def schema(self, node: nodes.Value) -> Mapping[str, object] | None:
        """The JSON schema in `json(file("answer.schema.json"))`."""
        call = self.names.value(node)
        inner = call.args[0] if isinstance(call, nodes.Call) and call.name.text == "json" and call.args else None
        if not isinstance(inner, nodes.Call) or inner.name.text != "file":
            rules.wrong_type(self.names, node, '`json(file("answer.schema.json"))`')
            return None
        source = read_beside(inner, self._reader, self.names.said)
        if source is None:
            return None
        from smoadsl.builtins.schemas import SchemaError, read_schema  # jsonschema is imported where there is a schema

        try:
            return read_schema(source.text)
        except SchemaError as error:
            at, path = error.at, inner.args[0].span
            span = path if at is None else Span(source, at.start, at.stop)
            named, lost = () if at is None else (path,), error.lost
            help = (lost and lost.known and did_you_mean(lost.reference, lost.known)) or error.help
            self.names.said.append(problems.bad_schema(span, str(error), help, *named))
            return None

    def template(self, ref: nodes.Ref) -> checked.Template | None:
        node = self.names.find(ref.name, ref.span, (nodes.Template,), "template")
        return self.declared_template(node) if node else None

    def declared_template(self, node: nodes.Template) -> checked.Template | None:
        name = node.name.text
        if name not in self._templates:
            self._templates[name] = self._read_template(node)
        return self._templates[name]

    def _read_template(self, node: nodes.Template) -> checked.Template | None:
        value = self.names.value(node.value)
        if isinstance(value, nodes.Call) and value.name.text == "file":
            source = read_beside(value, self._reader, self.names.said)
            if source is None:
                return None
            starts = tuple(itertools.accumulate((len(s) for s in source.text.splitlines(True)), initial=0))
            return checked.Template(node.name.text, source.text, whole(source), starts)
        if not isinstance(value, nodes.Text):
            rules.wrong_type(self.names, node.value, "a text")
            return None
        return checked.Template(node.name.text, value.value, value.span, value.lines)

    def template_for(self, read: Mapping[str, object], place: Place) -> checked.Template | None:
        """The template that a block of settings names, checked against what its place gives it."""
        ref = read.get("template")
        template = self.template(ref) if isinstance(ref, nodes.Ref) else None
        if template:
            self._check_template(template, place)
        return template

    def unused_templates(self) -> None:
        """Check the form of the templates that no place has asked for."""
        asked = {name for name, _ in self._checked}
        for template in [template for name, template in self._templates.items() if name not in asked]:
            if template:
                self._check_template(template, None)

    def _check_template(self, template: checked.Template, place: Place | None) -> None:
        """Say what is wrong with a template in a place, less what was said of another place already."""
        if (template.name, place) not in self._checked:
            from smoadsl.language.templates import check_template  # jinja2 is imported only where there is a template

            self._checked.add((template.name, place))
            told = self._unknown.setdefault(template.name, set())
            self.names.said.extend(check_template(template, place, told))


def uses(template: checked.Template, variable: str) -> bool:
    """Whether a template speaks of a variable that it is given."""
    return re.search(rf"\b{variable}\b", template.text) is not None
