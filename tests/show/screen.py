"""Screen, to be the terminal on which a run is shown, and to say what a person sees there at the end."""

import io
import re

import pytest

from smoadsl.runtime.events import Event
from smoadsl.show.live import Live


class Screen(io.StringIO):
    """A terminal that keeps what was written."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    @property
    def left(self) -> str:
        """What a person sees at the end. It knows the movements that rich makes, and no others."""
        lines, row = [""], 0
        for movement, code, character in re.findall(r"\x1b\[([0-9;?]*)([A-Za-z])|([^\x1b])", self.getvalue()):
            match code, character:
                case "A", _:
                    row -= int(movement)
                case "K", _:
                    lines[row] = ""
                case _, "\n":
                    row += 1
                    lines += [""] * (row == len(lines))
                case _, "" | "\r":
                    pass
                case _:
                    lines[row] += character
        return "\n".join(line.rstrip() for line in lines)


def seconds(text: str) -> str:
    return re.sub(r"\d+\.\d s\b", "0.0 s", text)


def shown(
    events: list[Event], monkeypatch: pytest.MonkeyPatch, *, streams: bool, terminal: bool
) -> tuple[Live, Screen, Screen]:
    """What `Live` wrote to standard output and to standard error."""
    out, err = Screen(), Screen()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", out)
        patched.setattr("sys.stderr", err)
        live = Live(streams=streams, terminal=terminal)
        for event in events:
            live.show(event)
        live.close()
        live.close()
    return live, out, err
