"""Safe, to put what models and files wrote before a person: printable, and so unable to steer a terminal.

Every name, reason and answer that `show` shows goes through here, alone or inside the words for what happened.
"""

import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from smoadsl.diagnostics.render.text import printable
from smoadsl.plan.plan import Layer, Pipeline
from smoadsl.runtime import events

MOST_REASON = 160  # characters of a reason that stands on one line with other things
_MOST_NAMES = 12

_OfRound = (
    events.RoundStarted
    | events.CallStarted
    | events.VerdictUnreadable
    | events.Judged
    | events.StopChecked
    | events.PipelineAnswered
)

_KEPT = frozenset("\n\t\u200c\u200d")  # the two joiners shape letters and emoji, and move nothing


def printable_text(text: str) -> str:
    """`printable` for text of several lines: line ends, tabs and spaces of every width stay as they are."""
    return "".join(c if _is_harmless(c) else printable(c) for c in text.replace("\r\n", "\n"))


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs"


class PrintableStream:
    """`printable_text` for text that comes in pieces: a CR waits until it is known whether an LF follows it."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return printable_text(text.removesuffix("\r") if self._held else text)

    def end(self) -> str:
        held, self._held = self._held, ""
        return printable_text(held)


def encodable(text: str, encoding: str | None) -> str:
    """The text with the characters that an encoding lacks written as escapes: a terminal need not speak UTF-8."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def one_line(text: str, most: int | None = None) -> str:
    """The text on one line, printable, and cut between words where it would have more than `most` characters."""
    line = printable(" ".join(text.split()))
    if most is None or len(line) <= most:
        return line
    cut = line[: most - 1]
    return (cut.rpartition(" ")[0] if " " in cut[most // 2 :] else cut).rstrip(" ,;:") + "…"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, each name printable."""
    shown = [printable(name) for name in names]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def counted(number: int, what: str) -> str:
    """`1 call`, `8,120 tokens`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def laid_out(lines: Iterable[tuple[int, str]], width: int) -> str:
    """Texts, each with its indentation, in lines of at most `width` columns where that leaves room for a letter."""
    from rich.console import Console
    from rich.text import Text

    console = Console(file=io.StringIO(), width=max(width, 1), color_system=None)
    laid: list[str] = []
    for indent, text in lines:
        for line in printable_text(text).expandtabs(4).split("\n"):
            parts = Text(line).wrap(console, max(width - indent, 2)) or [Text()]
            laid += [(" " * indent + part.plain).rstrip() for part in parts]
    return "".join(f"{line}\n" for line in laid)


# ---- words for what happened


def told(event: events.Event, asked: Mapping[int, events.CallStarted], layers: Mapping[str, Layer]) -> str:
    """What a log says of an event: one line, or nothing. `asked` has the calls so far."""
    match event:
        case events.RoundStarted(agents=agents):
            who = listed(agents) if len(agents) <= _MOST_NAMES else f"{len(agents)} agents"
            return f"{_place(event)} of {layers[event.layer].rounds}: {who}"
        case events.LayerSkipped():
            return f"{one_line(event.layer)} skipped: {_values(event.values) or 'its condition does not hold'}"
        case events.Activated():
            reason = f": {one_line(event.reason, MOST_REASON)}" if event.reason else ""
            chosen, idle = listed(event.agents), listed(event.idle)
            return f"{one_line(event.layer)}: {one_line(event.by)} chose {chosen}, left {idle} idle{reason}"
        case events.CallStarted():
            who = f"{_place(event)}: {event.purpose}" if event.layer and event.purpose != "aggregate" else _who(event)
            return f"{who} asked once more" if event.repair else ""
        case events.CallAttempted(wait_s=wait_s):
            reason = one_line(event.message or event.outcome)
            return "" if wait_s is None else f"{_who(asked[event.call])} is tried again in {wait_s:.1f} s: {reason}"
        case events.CallSucceeded():
            return f"{_who(asked[event.call])} answered: {taken(event, asked[event.call].at_s)}"
        case events.CallFailed():
            return f"{_who(asked[event.call])} {failed(event)}"
        case events.PipelineAnswered():
            return f"{_place(event)}: {one_line(event.agent)} answered"
        case events.VerdictUnreadable() if asked[event.call].purpose == "aggregate":
            return f"{_who(asked[event.call])} gave no answer that fits the schema: {one_line(event.fault)}"
        case events.VerdictUnreadable():
            return f"{_place(event)}: unreadable verdict: {one_line(event.fault)}"
        case events.Judged():
            return f"{_place(event)}: judge {judged(event, asked)}"
        case events.StopChecked():
            return f"{_place(event)}: {stop_checked(event)}"
        case events.Degraded():
            return f"warning: {one_line(event.why)}"
        case events.RunFailed():
            return f"error: {one_line(event.message)}"
        case events.RunStarted() | events.RunFinished() | events.AnswerPiece():
            return ""
        case _:
            assert_never(event)


def _place(event: _OfRound) -> str:
    """The layer and its round; before the first, where a router chooses, the layer alone."""
    return one_line(event.layer) + (f" round {event.round}" if event.round else "")


def _who(asked: events.CallStarted) -> str:
    """Where a call stands and whose it is; what is inside of an agent, with the agent's name before it but once."""
    if asked.purpose == "propose":
        return f"{_place(asked)}: {one_line(asked.agent.removeprefix(asked.layer[: asked.layer.rfind('/') + 1]))}"
    if asked.purpose == "aggregate":
        return f"{one_line(asked.agent)} {one_line(asked.model)}"
    place = f"{_place(asked)}: {asked.purpose}" if asked.layer else f"{asked.purpose} {one_line(asked.agent)}:"
    return f"{place} {one_line(asked.model)}"


def taken(end: events.CallSucceeded, begun_s: float) -> str:
    """`412 tokens · 2.1 s`, input and output together, as in a run's totals."""
    about = "~" if end.estimated else ""
    return f"{about}{counted(end.input_tokens + end.output_tokens, 'token')} · {end.at_s - begun_s:.1f} s"


def failed(event: events.CallFailed) -> str:
    return one_line(event.message if event.kind == "cancelled" else f"failed: {event.message}")


def judged(event: events.Judged, asked: Mapping[int, events.CallStarted]) -> str:
    """`qwen kept a (B) and b (A), dropped c (C): B is right`."""
    who, (kept, dropped) = decided_by(event), kept_and_dropped(event, asked)
    reason = f": {one_line(event.reason, MOST_REASON)}" if event.reason else ""
    return f"{who}{';' if ':' in who else ''} kept {kept}{f', dropped {dropped}' if dropped else ''}{reason}"


def kept_and_dropped(event: events.Judged, asked: Mapping[int, events.CallStarted]) -> tuple[str, str]:
    """The agents, with the ids under which the judge saw them where it gives a reason: that speaks of ids."""
    calls = [call for call in asked.values() if call.purpose == "judge" and event.reason]
    seen = [call.labels for call in calls if (call.layer, call.round) == (event.layer, event.round)]
    ids = {agent: label for label, agent in seen[-1].items()} if seen else {}
    kept, dropped = ([f"{a} ({ids[a]})" if a in ids else a for a in names] for names in (event.kept, event.dropped))
    return listed(kept), listed(dropped)


def decided_by(event: events.Judged) -> str:
    return printable(event.by).replace("nobody:", "not asked:")


def stop_checked(event: events.StopChecked) -> str:
    """`goes on: agreement 0.5, moderator(qwen) no`."""
    end = f"the {'pipeline' if event.whole_pipeline else 'layer'} stops here" if event.held else "goes on"
    values = _values(event.values)
    return f"{end}: {values}" if values else end


def layers_of(pipeline: Pipeline, inside: str = "") -> dict[str, Layer]:
    """The layers of a pipeline and of those inside it, by the names that they have in events."""
    found = {inside + layer.name: layer for layer in pipeline.layers}
    for agent in (agent for layer in pipeline.layers for agent in layer.agents):
        if isinstance(agent.does, Pipeline):
            found |= layers_of(agent.does, f"{inside}{agent.name}/")
    return found


def _values(values: Mapping[str, float | bool | None]) -> str:
    return ", ".join(f"{printable(name)} {_value(value)}" for name, value in values.items())


def _value(value: float | bool | None) -> str:
    if value is None:
        return "unknown"
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:,.4g}"
