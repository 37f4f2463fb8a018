"""Formats, to write diagnostics as documents for machines, with what these must know beside them."""

import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import click

from smoadsl import __version__
from smoadsl.diagnostics.explain import as_markdown, as_text
from smoadsl.diagnostics.render import github, json, junit, sarif
from smoadsl.diagnostics.render.report import Paths, Report
from smoadsl.tools.pages import codes, page_of
from smoadsl.tools.reader import root_of

DOCUMENTS: dict[str, Callable[[Sequence[Report]], str]] = {
    "json": lambda reports: json.render(reports),
    "github": lambda reports: github.render(reports, paths()),
    "sarif": lambda reports: sarif_log(reports),
    "junit": lambda reports: junit.render([junit.suite_of(reports)]),
}


def paths() -> Paths:
    """Files as the repository around the current folder knows them."""
    here = os.getcwd()
    return Paths(str(root_of(os.path.join(here, "any"))), here)


def sarif_log(reports: Sequence[Report], rules: Mapping[str, sarif.Rule] = MappingProxyType({})) -> str:
    """A SARIF log that describes each code by its page, and by `rules` those that have none."""
    pages = {code: page_of(code) for code in codes()}
    described = {code: sarif.Rule(page.title, as_text(page), as_markdown(page)) for code, page in pages.items()}
    return sarif.render(reports, paths(), {**described, **rules}, __version__)


def write(document: str) -> None:
    """To standard output, in UTF-8 whatever the locale says: it is for a machine."""
    click.echo(document.encode("utf-8", "backslashreplace"), nl=False)
