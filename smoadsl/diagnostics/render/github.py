"""Github, to put diagnostics beside the lines of a pull request, as workflow commands of GitHub Actions.

The form and its escapes are those of the runner, `src/Runner.Common/ActionCommand.cs` in github.com/actions/runner.
"""

from collections.abc import Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.render.report import MOST_REPORTED, Paths, Report, is_on_one_line, left_out, told_once
from smoadsl.diagnostics.render.text import printable

_COMMANDS = {Severity.ERROR: "error", Severity.ADVICE: "warning"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _DATA | {":": "%3A", ",": "%2C"}


def render(reports: Sequence[Report], paths: Paths) -> str:
    """A command for each diagnostic, and for each file that could not be read. Empty when there is nothing to say."""
    lines = [_command("error", {"file": _file(one.file, paths)}, one.unread) for one in reports if one.unread]
    diagnostics = told_once(reports)
    lines += [_one(diagnostic, paths) for diagnostic in diagnostics[:MOST_REPORTED]]
    if more := left_out(diagnostics):
        lines.append(_command("notice", {}, f"{more} more are left out"))
    return "".join(f"{line}\n" for line in lines)


def _one(diagnostic: Diagnostic, paths: Paths) -> str:
    span = diagnostic.span
    (line, column), (end_line, end_column) = span.source.place(span.start), span.source.place(span.end)
    properties = {"file": _file(span.source.name, paths), "line": str(line), "endLine": str(end_line)}
    if is_on_one_line(span):  # columns of different lines are refused
        properties |= {"col": str(column), "endColumn": str(end_column)}
    text = [printable(diagnostic.message)]
    for other in diagnostic.related:
        where = other.span.source.place(other.span.start)
        text.append(f"{printable(other.span.source.name)}:{where[0]}:{where[1]}: {printable(other.message)}")
    text += [f"help: {printable(diagnostic.help)}"] * bool(diagnostic.help)
    return _command(_COMMANDS[diagnostic.severity], properties | {"title": diagnostic.code}, "\n".join(text))


def _file(name: str, paths: Paths) -> str:
    return printable(paths.inside(name) or paths.absolute(name) or "")


def _command(name: str, properties: dict[str, str], data: str) -> str:
    given = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items() if value)
    return f"::{name}{' ' * bool(given)}{given}::{_escaped(data, _DATA)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
