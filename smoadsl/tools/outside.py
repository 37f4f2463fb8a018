"""Outside, to say where a run's answers come from: its providers, whether recorded or not, or a recording alone."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from smoadsl.adapters import open_adapter
from smoadsl.adapters.cassette import recording, replaying
from smoadsl.classes import dataclass
from smoadsl.tools.virtual_clock import run_virtually

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outside:
    """What `api.run` is to be given of it as `options`; nothing for the providers themselves. What is not `live` needs
    neither key nor network, and runs on a virtual clock: waits, for answers that never came too, take no time.

    `missing` has a sentence for each request that a recording could not answer."""

    options: Mapping[str, Any] = field(default_factory=dict)
    live: bool = True
    missing: list[str] = field(default_factory=list)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """The result of `main`. Raises `Standstill` where a recording lets it wait for ever."""
        return asyncio.run(main) if self.live else run_virtually(main)


def recorded_in(folder: Path) -> Outside:
    """The providers, with all that they answer written to a cassette."""
    return Outside({"opener": recording(folder, open_adapter)})


def replayed_from(folder: Path) -> Outside:
    """A cassette instead of the providers."""
    missing: list[str] = []
    opener = replaying(folder, missing.append, paced=True)
    return Outside({"opener": opener, "keyless": True}, live=False, missing=missing)
