"""Github, to put diagnostics beside the lines of a pull request, as workflow commands of GitHub Actions.

The form and its escapes are those of the runner, `src/Runner.Common/ActionCommand.cs` in github.com/actions/runner.
"""

from collections.abc import Sequence

from smoadsl.diagnostics.diagnostic import Diagnostic, Severity
from smoadsl.diagnostics.render.report import MOST_REPORTED, Paths, Report, left_out, told_once
from smoadsl.diagnostics.render.text import printable
from smoadsl.diagnostics.source import Span

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
    text = [printable(diagnostic.message)]
    for other in diagnostic.related:
        line, column = other.span.source.place(other.span.start)
        text.append(f"{_file(other.span.source.name, paths)}:{line}:{column}: {printable(other.message)}")
    text += [f"help: {printable(diagnostic.help)}"] * bool(diagnostic.help)
    properties = _place(diagnostic.span, paths) | {"title": diagnostic.code}
    return _command(_COMMANDS[diagnostic.severity], properties, "\n".join(text))


def _place(span: Span, paths: Paths) -> dict[str, str]:
    """Nothing for what was typed on the command line."""
    file = _file(span.source.name, paths)
    if not file:
        return {}
    (line, column), (end_line, end_column) = span.source.place(span.start), span.source.place(span.end)
    lines = {"file": file, "line": str(line), "endLine": str(end_line)}
    if line != end_line:  # columns of different lines are refused
        return lines
    return lines | {"col": str(column), "endColumn": str(end_column)}


def _file(name: str, paths: Paths) -> str:
    return printable(paths.inside(name) or paths.absolute(name) or "")


def _command(name: str, properties: dict[str, str], data: str) -> str:
    given = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items() if value)
    return f"::{name}{' ' * bool(given)}{given}::{_escaped(data, _DATA)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
