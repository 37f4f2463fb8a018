"""Providers, to list those that a model can name without a declaration, and what each of them takes."""

import os
import sys
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

import click
import orjson

from smoadsl.adapters import installed_adapters
from smoadsl.adapters.dialect import LACKS
from smoadsl.builtins.providers import WELL_KNOWN, WellKnown
from smoadsl.tools.options import text_width

_COLUMNS = "{:<12} {:<10} {:<19} {:<5} {:<4} {}"
_INDENT = " " * 13
_SCHEMAS = {"json_schema": "schema", "strict": "strict schema", "json_object": "JSON", "words": "words"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON array, with the models that take less.")
def command(as_json: bool) -> None:
    """The providers that `model NAME = "PROVIDER/ID"` finds by name: protocol, address, key, and what they take."""
    if as_json:
        rows = [_row(name, known) for name, known in WELL_KNOWN.items()]
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    click.echo(_COLUMNS.format("provider", "protocol", "key", "set", "n", "answers held by"))
    for name, known in WELL_KNOWN.items():
        click.echo("\n".join(_lines(name, known, text_width())))
    if others := installed_adapters():
        click.echo(f"\nadapters of other packages: {', '.join(others)}")


def _row(name: str, known: WellKnown) -> dict[str, Any]:
    dialect = known.dialect
    return {
        "provider": name,
        "protocol": known.adapter,
        "base_url": known.base_url,
        "key": known.key,
        "key_is_set": _is_set(known.key),
        "n": known.n,
        "schema": dialect.schema,
        "refuses": _refused(known),
        "models": [
            {"pattern": rule.pattern, "refuses": sorted(rule.refuses), "unless_no_reasoning": rule.unless_none}
            for rule in dialect.models
        ],
        "source": known.source,
    }


def _lines(name: str, known: WellKnown, width: int) -> Iterator[str]:
    key = known.key or "none needed"
    is_set = ("yes" if _is_set(known.key) else "no") if known.key else "-"
    held_by = _SCHEMAS[known.dialect.schema]
    yield _COLUMNS.format(name, known.adapter, key, is_set, "yes" if known.n else "no", held_by).rstrip()
    yield _INDENT + (known.base_url or "in the process itself")
    if refused := _refused(known):
        less = "; some models take less" if known.dialect.models else ""
        takes = f"takes no {', '.join(refused)}{less}"
        yield from wrap(takes, width, initial_indent=_INDENT, subsequent_indent=_INDENT)
    elif known.dialect.models:
        yield f"{_INDENT}some models take less"


def _refused(known: WellKnown) -> list[str]:
    """The settings that it takes from no model."""
    return sorted({*known.dialect.refuses, *LACKS.get(known.adapter, ())})


def _is_set(key: str) -> bool:
    return bool(key and os.environ.get(key, "").strip())
