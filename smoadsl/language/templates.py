"""Templates, to check an author's Jinja where it is written, without compiling or rendering any of it."""

import re
from collections.abc import Iterable, Iterator

from jinja2 import Environment, TemplateSyntaxError
from jinja2 import nodes as jinja

from smoadsl.builtins.guard import faults
from smoadsl.builtins.prompts import LISTS, PLACES, SINGLE, Place
from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.source import Span
from smoadsl.language import checked, problems
from smoadsl.language.fields import missing_fields

_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set", "endset")
_MOST_LOOPS, _MOST_NESTING, _MOST_BRANCHES = 16, 48, 200  # what is compiled must stay within Python's own limits
_EXPRESSION = re.compile(r"\{[{%].*?(?:[}%]\}|$)")
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")
_TAG = re.compile(r"\{%[-+]?\s*(end)?(if|for|set(?=\s*\w*\s*[-+]?%))\b")


def check_template(template: checked.Template, place: Place | None, told: set[tuple[str, int]]) -> Iterator[Diagnostic]:
    """What is wrong with a template: its form and, where a place is named, the names that it is not given there. `told`
    are the names, with their lines, of which something was said already."""
    places = _Places(template)
    try:
        environment = Environment()
        deep = _deep_brackets(environment, template.text)
        tree = environment.parse(template.text if deep is None else "")
    except TemplateSyntaxError as error:
        yield _syntax(template, places, error.lineno, error.message or "syntax error")
        return
    deep = deep or _deep_blocks(tree)
    if deep is not None:
        yield problems.template_syntax(places.line(deep), "this is nested too deeply", "set its parts apart")
        return
    for fault in faults(tree):
        if fault.kind == "size":
            yield problems.template_syntax(places.line(fault.line), f"this is {fault.name}", "set its parts apart")
        else:
            at = places.word(fault.line, fault.name)
            yield problems.template_filter(at, fault.kind, fault.name, fault.known)
    if place is not None:
        known = PLACES[place]
        for name, line in dict.fromkeys(_free_names(tree, {*known, "range"})):
            if (name, line) not in told:
                told.add((name, line))
                yield problems.template_unknown(places.word(line, name), name, place, known)
    for one in missing_fields(tree, PLACES[place] if place is not None else (*LISTS, *SINGLE)):
        if (f".{one.name}", one.line) not in told:
            told.add((f".{one.name}", one.line))
            noun, fields = one.kind.shape.noun, one.kind.shape.fields
            yield problems.template_field(places.field(one.line, one.name), one.name, noun, fields, one.kind.many)


def _syntax(template: checked.Template, places: "_Places", line: int, message: str) -> Diagnostic:
    """Jinja's complaint in our words."""
    if unknown := re.match(r"Encountered unknown tag '(\w+)'", message):
        return problems.template_filter(places.word(line, unknown[1]), "tag", unknown[1], _TAGS)
    if unclosed := re.search(r"innermost block that needs to be closed is '(\w+)'", message):
        opened = [tag for tag in _unclosed(template.text) if tag[2] == unclosed[1]]
        line = template.text.count("\n", 0, opened[-1].start()) + 1 if opened else line
        help = f"close it with `{{% end{unclosed[1]} %}}`"
        return problems.template_syntax(places.line(line), f"`{{% {unclosed[1]} %}}` is never closed", help)
    plain = message[:1].lower() + message[1:].rstrip(".")
    plain = re.sub(r"'([^']*)'", r"`\1`", plain).replace("`end of print statement`", "`}}`")
    help = "an expression ends with `}}`, a tag with `%}`" if "unexpected" in plain or "expected token" in plain else ""
    return problems.template_syntax(places.line(line), plain, help)


def _unclosed(text: str) -> list[re.Match[str]]:
    """The tags that are still open at the end of a text."""
    open_: list[re.Match[str]] = []
    for tag in _TAG.finditer(text):
        if not tag[1]:
            open_.append(tag)
        elif open_ and open_[-1][2] == tag[2]:
            open_.pop()
    return open_


def _deep_brackets(environment: Environment, text: str) -> int | None:
    """The line at which brackets, negations or tags are deeper than Jinja's own recursion should be trusted with."""
    depth = signs = blocks = 0
    before = ""
    for line, kind, value in environment.lex(text):
        if kind == "whitespace":
            continue
        if kind in ("block_begin", "variable_begin"):
            depth = signs = 0
        elif kind == "operator" and value in "([{":
            depth += 1
        elif kind == "operator" and value in ")]}":
            depth -= 1
        elif before == "block_begin" and value in ("if", "for", "endif", "endfor"):
            blocks += -1 if value.startswith("end") else 1
        signs, before = signs + 1 if value in ("not", "-", "+") else 0, kind
        if max(depth, signs) > _MOST_NESTING // 2 or blocks > 4 * _MOST_NESTING:
            return line
    return None


def _deep_blocks(tree: jinja.Template) -> int | None:
    """The line at which the tree is deeper than Python could compile it."""
    waiting: list[tuple[jinja.Node, int, int]] = [(tree, 0, 0)]
    while waiting:
        node, depth, loops = waiting.pop()
        loops += isinstance(node, jinja.For)
        branches = len(node.elif_) if isinstance(node, jinja.If) else 0
        if depth > _MOST_NESTING or loops > _MOST_LOOPS or branches > _MOST_BRANCHES:
            return node.lineno or 1
        waiting += [(child, depth + 1, loops) for child in node.iter_child_nodes()]
    return None


def _free_names(node: jinja.Node, given: set[str]) -> Iterator[tuple[str, int]]:
    """Names that a template reads and nothing gives it, each where it is read. What is set goes into `given`; what a
    loop sets stays inside it, and what one branch sets may be read after all."""
    match node:
        case jinja.Name():
            if node.ctx != "load":
                given.add(node.name)
            elif node.name not in given:
                yield node.name, node.lineno
        case jinja.For():
            yield from _free_names(node.iter, given)
            inside = {*given, "loop", *(name.name for name in [*_names(node.target)])}
            for part in [*([node.test] if node.test else []), *node.body]:
                yield from _free_names(part, inside)
            for part in node.else_:
                yield from _free_names(part, set(given))
        case jinja.Assign():
            yield from _free_names(node.node, given)
            yield from _free_names(node.target, given)
        case jinja.AssignBlock():
            for part in node.body:
                yield from _free_names(part, set(given))
            yield from _free_names(node.target, given)
        case _:
            for part in node.iter_child_nodes():
                yield from _free_names(part, given)


def _names(target: jinja.Node) -> Iterable[jinja.Name]:
    return [target] if isinstance(target, jinja.Name) else target.find_all(jinja.Name)


class _Places:
    """Where the lines of a template, and the words in its tags and expressions, stand in the source."""

    def __init__(self, template: checked.Template) -> None:
        self._template = template
        self._words: dict[int, dict[str, int]] = {}

    def line(self, number: int) -> Span:
        template, source = self._template, self._template.span.source
        if not 1 <= number <= len(template.lines):
            return template.span
        start = template.lines[number - 1]
        length = len(source.line(source.place(start)[0])) - source.place(start)[1] + 1
        return Span(source, start, max(start + 1, min(start + length, template.span.end)))

    def word(self, number: int, word: str) -> Span:
        """A word of that line, where it is not another's attribute; the line where it can not be told."""
        line = self.line(number)
        if line.start not in self._words:
            words = self._words[line.start] = {}
            for expression in _EXPRESSION.finditer(line.text):
                for found in _WORD.finditer(line.text, *expression.span()):
                    words.setdefault(found.group(), line.start + found.start())
        at = self._words[line.start].get(word)
        return line if at is None else Span(line.source, at, at + len(word))

    def field(self, number: int, name: str) -> Span:
        """A word of that line that is read of something: after a dot, or in quotes."""
        line = self.line(number)
        written = re.compile(rf"""(?:\.\s*|["']){re.escape(name)}(?!\w)""")
        for expression in _EXPRESSION.finditer(line.text):
            if found := written.search(line.text, *expression.span()):
                end = line.start + found.end()
                return Span(line.source, end - len(name), end)
        return line
