"""Entering, to make entrants of a comparison out of what was typed: files, pipelines, and params that are swept."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import click

from smoadsl.diagnostics.render.text import printable
from smoadsl.diagnostics.suggest import did_you_mean
from smoadsl.language import nodes
from smoadsl.language.check import Given
from smoadsl.language.load import load
from smoadsl.plan.compile import Options
from smoadsl.score.comparison import Entrant
from smoadsl.tools.options import file_and_pipeline
from smoadsl.tools.planning import planned_or_exit
from smoadsl.tools.reader import read_source, reader_for

_MOST_ENTRANTS = 100


def entrants(files: Sequence[str], wanted: Given, root: str | None, sweeps: Sequence[str]) -> list[Entrant]:
    """One for each file, and for each value of the swept params that it has. Ends the command where a file has
    problems; raises `click.UsageError` for a sweep of nothing, and for too many."""
    choices = {file: _choices(file, root) for file in files}
    known = {name for found in choices.values() for name in found}
    for name in sweeps:
        if name not in known:
            guess = did_you_mean(name, known) if known else "none of the files has a `param NAME = … in [...]`"
            raise click.UsageError(f"--sweep {name}: there is no param of that name with choices; {guess}")
    found = [
        (file, _entrant(file, values, wanted, root))
        for file in files
        for values in _combinations({name: choices[file][name] for name in sweeps if name in choices[file]})
    ]
    if len(found) > _MOST_ENTRANTS:
        raise click.UsageError(f"{len(found)} pipelines are more than can be told apart: {_MOST_ENTRANTS} are the most")
    if _has_equals(entrant.name for _, entrant in found):
        stems = {file: printable(Path(file).stem) for file in files}
        found = [(file, replace(entrant, name=f"{stems[file]}: {entrant.name}")) for file, entrant in found]
    if _has_equals(entrant.name for _, entrant in found):
        raise click.UsageError("two of these pipelines have one name, in files of one name: copy one, or rename it")
    return [entrant for _, entrant in found]


def _has_equals(names: Iterable[str]) -> bool:
    return max(Counter(names).values(), default=0) > 1


def _combinations(values: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for chosen in product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def _entrant(file: str, values: Mapping[str, str], wanted: Given, root: str | None) -> Entrant:
    given = replace(wanted, params={**wanted.params, **values})
    plan = planned_or_exit(file, given, root, Options(), advises=not values)  # a swept value is not what is written
    if plan.recipes:
        names = ", ".join(recipe.name for recipe in plan.recipes)
        raise click.UsageError(f"the roles of {names} are not locked: run `smoadsl lock {file}`")
    swept = " ".join(f"{name}={value}" for name, value in values.items())
    return Entrant(f"{plan.pipeline.name} {swept}".strip(), plan, dict(values))


def _choices(file: str, root: str | None) -> dict[str, list[str]]:
    """The values of each param that may be swept, as they are written."""
    path, _ = file_and_pipeline(file)
    try:
        reader, read = reader_for(path, root), read_source(path)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    loaded = load(read.value, reader).value if read.value else None
    items = loaded.files[0].items if loaded and loaded.files else ()
    return {
        item.name.text: [value.span.text for value in item.choices.items]
        for item in items
        if isinstance(item, nodes.Param) and item.choices is not None
    }
