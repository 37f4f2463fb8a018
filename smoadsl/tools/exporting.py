"""Exporting, to write a batch's answers in the form that a benchmark's own tools read."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from smoadsl.classes import dataclass
from smoadsl.scale.output import Found, whole_file, with_results
from smoadsl.scale.records import Result
from smoadsl.scale.rows import Data, Unfit
from smoadsl.score.formats import FORMATS, FormatError, write_mt_bench
from smoadsl.score.outcome import Missing, Refused, Said, said_of
from smoadsl.show.safe import counted


@dataclass(frozen=True, slots=True)
class Export:
    """The name of a format, and under which name the answers stand in it."""

    format: str
    generator: str

    def path(self, output: Path) -> Path:
        """Where it goes: beside the output, with the format in its name."""
        return output.with_name(f"{output.stem}.{self.format}.{'jsonl' if FORMATS[self.format].lines else 'json'}")

    def write(self, output: Path, data: Data, results: Iterable[Found]) -> str:
        """Write all answers, and say in a sentence what was written and what left out. Raises `Unfit`, `OSError`."""
        path, lines = self.path(output), FORMATS[self.format].lines
        left_out: Counter[str] = Counter()
        count = 0
        with whole_file(path) as file:
            for count, row in enumerate(self._rows(data, results, left_out), 1):
                before = b"" if lines else b"[\n" if count == 1 else b",\n"
                file.write(before + orjson.dumps(row, default=str) + b"\n" * lines)
            file.write(b"" if lines else b"\n]\n" if count else b"[]\n")
        without = "".join(f", without {number:,} that {why}" for why, number in left_out.items())
        return f"{path} written, {counted(count, 'answer')}{without}"

    def _rows(self, data: Data, results: Iterable[Found], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
        for number, fields, result in with_results(data, results):
            try:
                written = self._written(fields, result)
            except FormatError as error:
                raise Unfit(f"{data.path}: row {number} is none of {self.format}: {error}") from None
            if isinstance(written, Missing | Refused):
                left_out["were refused" if isinstance(written, Refused) else "have no answer"] += 1
            else:
                yield written

    def _written(self, fields: Any, result: Result) -> dict[str, Any] | Missing | Refused:
        if self.format == "mt_bench" and result.answers:
            return write_mt_bench(fields, [Said(text) for text in result.answers], self.generator)
        return FORMATS[self.format].write(fields, said_of(result), self.generator)
