"""Trace, to look things up in what happened: calls with their ends, answers by round, events round by round."""

from collections.abc import Iterator, Sequence
from dataclasses import field

from smoadsl.classes import dataclass
from smoadsl.runtime import events
from smoadsl.show.safe import layers_of


@dataclass(slots=True)
class Call:
    """One call: what was asked, each attempt, and its end if it has one."""

    started: events.CallStarted
    attempts: list[events.CallAttempted] = field(default_factory=list)
    end: events.CallSucceeded | events.CallFailed | None = None
    fault: str = ""  # what makes its verdict unreadable


class Trace:
    """The events of a run in their order, and what is looked up in them.

    Raises `ValueError` or `LookupError` for events that are not those of one run.
    """

    def __init__(self, trace: Sequence[events.Event]) -> None:
        self.events = trace
        if not trace or not isinstance(trace[0], events.RunStarted):
            raise ValueError("a trace begins with the start of a run")
        self.plan = trace[0].plan
        self.layers = layers_of(self.plan.pipeline)
        self.calls = {event.call: Call(event) for event in trace if isinstance(event, events.CallStarted)}
        for event in trace:
            match event:
                case events.CallAttempted():
                    self.calls[event.call].attempts.append(event)
                case events.CallSucceeded() | events.CallFailed():
                    self.calls[event.call].end = event
                case events.VerdictUnreadable():
                    self.calls[event.call].fault = event.fault
                case _:
                    pass

    def answers(self, layer: str, number: int) -> dict[str, str]:
        """Who answered what in a round. The answer of a pipeline that is an agent is that of its aggregate."""
        path = inside(layer)
        found: dict[str, str] = {}
        for call in self.calls.values():
            asked, end = call.started, call.end
            if isinstance(end, events.CallSucceeded):
                if asked.purpose == "propose" and (asked.layer, asked.round) == (layer, number):
                    names = asked.samples or (asked.agent.removeprefix(path),)
                    found |= dict(zip(names, (end.text, *end.others), strict=False))
                elif asked.purpose == "aggregate" and asked.agent.startswith(path):
                    found[asked.agent.removeprefix(path).removesuffix("/aggregate")] = end.text
        return found


def in_rounds(trace: Sequence[events.Event]) -> Iterator[events.Event]:
    """The events, those of one round together: rounds of pipelines that are agents go on side by side."""
    groups: dict[object, list[events.Event]] = {}
    for place, event in enumerate(trace):
        key: object = place
        if isinstance(event, events.CallStarted) and event.purpose == "aggregate":
            key = "aggregate", *round_of(event)
        elif hasattr(event, "round"):
            key = ("aggregate", *round_of(event))
            key = key if key in groups else round_of(event)
        groups.setdefault(key, []).append(event)
    for group in groups.values():
        yield from group


def inside(name: str) -> str:
    """The path of the pipelines that an agent or a layer is inside of."""
    return name[: name.rfind("/") + 1]


def round_of(event: events.Event) -> tuple[object, object]:
    """The layer and the number of the round that an event is of; None where it is of none."""
    return getattr(event, "layer", None), getattr(event, "round", None)
