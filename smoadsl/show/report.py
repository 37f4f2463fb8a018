"""Report, to tell from a trace who said what, who was dropped and why, what the aggregate saw, and what it took."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from smoadsl.runtime import events
from smoadsl.show.safe import (
    decided_by,
    kept_and_dropped,
    laid_out,
    layers_of,
    listed,
    one_line,
    stop_checked,
    taken,
    told,
)
from smoadsl.show.totals import totals_line
from smoadsl.show.words import rule

_STEP = 2  # the indentation of what happened in a round; what belongs to it stands further in
_FEW_WORDS = 150  # characters that are left of a text in brief

_Line = tuple[int, str]  # how far it is indented, and a text of any length


def report_text(trace: Iterable[events.Event], *, brief: bool = False, width: int = 80) -> str:
    """The report of a run, be it finished, failed or cut off: text without colour, in lines of `width` columns.
    Raises `ValueError` or `LookupError` for events that are not those of one run."""
    run = _Run(tuple(trace), brief)
    lines: list[_Line] = []
    for paragraph in (list(_lines(event, run)) for event in _in_rounds(run.trace)):
        if paragraph and paragraph[0][0] == _STEP and lines[-1][0] and not brief:
            lines.append((0, ""))  # between long texts
        lines += paragraph
    return laid_out([*lines, *_cut_off(run)], width)


@dataclass(slots=True)
class _Call:
    started: events.CallStarted
    attempts: list[events.CallAttempted] = field(default_factory=list)
    end: events.CallSucceeded | events.CallFailed | None = None
    fault: str = ""  # what makes its verdict unreadable


class _Run:
    """A trace, and what is looked up in it."""

    def __init__(self, trace: Sequence[events.Event], brief: bool) -> None:
        self.trace = trace
        self.brief = brief
        if not trace or not isinstance(trace[0], events.RunStarted):
            raise ValueError("a trace begins with the start of a run")
        self.plan = trace[0].plan
        self.layers = layers_of(self.plan.pipeline)
        self.calls = {event.call: _Call(event) for event in trace if isinstance(event, events.CallStarted)}
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

    def text(self, text: str) -> str:
        return one_line(text, _FEW_WORDS) if self.brief else text.strip("\r\n")

    def answers(self, layer: str, number: int) -> dict[str, str]:
        """Who answered what in a round. The answer of a pipeline that is an agent is that of its aggregate."""
        inside, found = _inside(layer), {}
        for call in self.calls.values():
            asked, end = call.started, call.end
            if isinstance(end, events.CallSucceeded):
                if asked.purpose == "propose" and (asked.layer, asked.round) == (layer, number):
                    found[asked.agent.removeprefix(inside)] = end.text
                elif asked.purpose == "aggregate" and asked.agent.startswith(inside):
                    found[asked.agent.removeprefix(inside).removesuffix("/aggregate")] = end.text
        return found


def _in_rounds(trace: Sequence[events.Event]) -> Iterator[events.Event]:
    """The events, those of one round together: rounds of pipelines that are agents go on side by side."""
    groups: dict[object, list[events.Event]] = {}
    for place, event in enumerate(trace):
        key: object = place
        if isinstance(event, events.CallStarted) and event.purpose == "aggregate":
            key = "aggregate", *_round(event)
        elif hasattr(event, "round"):
            key = ("aggregate", *_round(event))
            key = key if key in groups else _round(event)
        groups.setdefault(key, []).append(event)
    for group in groups.values():
        yield from group


def _lines(event: events.Event, run: _Run) -> Iterator[_Line]:
    match event:
        case events.RunStarted():
            yield 0, f"pipeline {event.plan.pipeline.name}, seed {event.seed}"
            for number, message in enumerate(event.messages, 1):
                yield 0, "\nprompt" if number == len(event.messages) else f"\n{message.role}"
                yield 2, run.text(message.content)
        case events.LayerSkipped() | events.Activated():
            yield 0, "\n" + told(event, {}, run.layers)
        case events.RoundStarted():
            yield 0, "\n" + told(event, {}, run.layers).partition(":")[0]
        case events.CallStarted():
            yield from _call(run.calls[event.call], run)
        case events.Judged():
            yield from _judged(event, run)
        case events.StopChecked():
            yield from _stop(event, run)
        case events.Degraded():
            yield _STEP, f"degraded: {event.why}"
        case events.RunFinished():
            yield from _finished(event, run)
            yield 0, f"\n{totals_line(event.totals)}"
        case events.RunFailed():
            yield 0, f"\nfailed: {event.message}\n\n{totals_line(event.totals)}"
        case events.CallAttempted() | events.CallSucceeded() | events.CallFailed() | events.VerdictUnreadable():
            pass  # told with the call that they are about
        case events.PipelineAnswered():
            yield _STEP, f"{event.agent} · the pipeline {event.pipeline}"
            yield 4, run.text(event.text)
        case events.AnswerPiece():
            pass  # the whole text is told with the aggregate's call
        case _:
            assert_never(event)


def _call(call: _Call, run: _Run) -> Iterator[_Line]:
    """Who was asked, what it took, what came of it; and every attempt, where one failed."""
    asked, end = call.started, call.end
    is_aggregate = asked.purpose == "aggregate"
    if is_aggregate:
        yield 0, f"\n{asked.agent}"
    parts = {"propose": [asked.agent], "aggregate": [asked.model]}.get(
        asked.purpose, [f"{asked.purpose} {asked.model}"]
    )
    parts += ["asked once more"] * asked.repair
    parts += [asked.model] * (
        asked.purpose == "propose" and asked.agent.removeprefix(_inside(asked.agent)).partition(".")[0] != asked.model
    )
    if isinstance(end, events.CallSucceeded):
        parts += [end.model] * (end.model != asked.model) + [taken(end, asked.at_s)]
        parts += ["cut at max_tokens"] * (end.finish == "length")
    yield _STEP, " · ".join(parts)
    if is_aggregate:
        yield 4, _seen(asked)
    for attempt in call.attempts if len(call.attempts) > 1 else ():
        then = "" if attempt.wait_s is None else f" (the next after {attempt.wait_s:.1f} s)"
        yield 4, f"attempt {attempt.attempt}: {attempt.message or attempt.outcome}{then}"
    match end:
        case events.CallFailed():
            yield 4, f"failed after {end.at_s - asked.at_s:.1f} s: {end.message}"
        case None:
            yield 4, "no response before the trace ends"
        case events.CallSucceeded():
            if call.fault:
                yield 4, f"unreadable: {call.fault}"
            if call.fault or is_aggregate or asked.purpose == "propose":
                yield 4, run.text(end.text)


def _seen(asked: events.CallStarted) -> str:
    """Which responses stand in the aggregate's prompt."""
    if not asked.references:
        return "saw no responses"
    return f"saw {listed(asked.references)} of {asked.layer} round {asked.round}"


def _inside(name: str) -> str:
    """The path of the pipelines that an agent or a layer is inside of."""
    return name[: name.rfind("/") + 1]


def _judged(event: events.Judged, run: _Run) -> Iterator[_Line]:
    kept, dropped = kept_and_dropped(event, {number: call.started for number, call in run.calls.items()})
    verdicts = [call for call in run.calls.values() if call.started.purpose == "judge"]
    last = next((call for call in reversed(verdicts) if _round(call.started) == _round(event)), None)
    if last is None or last.fault or event.by != last.started.model:  # else it stands under the judge's call
        yield _STEP, f"judge {decided_by(event)}"
    yield 4, f"kept: {kept}"
    if dropped:
        yield 4, f"dropped: {dropped}"
    if event.ranking[: len(event.kept)] != event.kept:  # which is in declared order
        yield 4, f"best first: {', '.join(event.ranking)}"
    if event.reason:
        yield 4, f"reason: {run.text(event.reason)}"
    if event.scores:
        yield 4, "scores: " + ", ".join(f"{agent} {score:g}" for agent, score in event.scores.items())
    for agent, remark in event.remarks.items():
        yield 4, f"remark on {agent}: {run.text(remark)}"


def _stop(event: events.StopChecked, run: _Run) -> Iterator[_Line]:
    """The rules of a round are looked at in their order, so the place of an event among its like says which it is."""
    of_round = [e for e in run.trace if not isinstance(e, events.RunStarted) and _round(e) == _round(event)]
    layer = run.layers[event.layer]
    rules = [stop for stop in layer.stops if event.round < layer.rounds or stop.whole_pipeline]
    yield _STEP, rule(rules[[e for e in of_round if isinstance(e, events.StopChecked)].index(event)])
    is_asked = any(isinstance(e, events.CallStarted) and e.purpose in ("judge", "moderator") for e in of_round)
    yield 4, stop_checked(event) + ("" if is_asked or True not in event.values.values() else " (all answers are equal)")
    if event.reason not in ("", *(e.reason for e in of_round if isinstance(e, events.Judged))):
        yield 4, f"reason: {run.text(event.reason)}"


def _round(event: events.Event) -> tuple[object, object]:
    return getattr(event, "layer", None), getattr(event, "round", None)


def _finished(event: events.RunFinished, run: _Run) -> Iterator[_Line]:
    answers = [call.end for call in run.calls.values() if call.started.agent == "aggregate"]
    if not any(isinstance(end, events.CallSucceeded) and end.text == event.text for end in answers):
        yield 0, "\nanswer"
        yield _STEP, run.text(event.text)
    if run.plan.pipeline.answer.kind != "text":
        yield 0, f"\nanswer read as: {event.value or 'nothing'}"
    if event.degraded:
        yield 0, "\ndegraded: the run did not go as it was written"
    for why in dict.fromkeys(event.degraded):
        yield _STEP, why


def _cut_off(run: _Run) -> Iterator[_Line]:
    """What stands in the place of the end that a trace lacks."""
    if not isinstance(run.trace[-1], events.RunFinished | events.RunFailed):
        ends = [call.end for call in run.calls.values() if isinstance(call.end, events.CallSucceeded)]
        totals = events.Totals(
            calls=len(run.calls),
            attempts=sum(len(call.attempts) for call in run.calls.values()),
            input_tokens=sum(end.input_tokens for end in ends),
            output_tokens=sum(end.output_tokens for end in ends),
            estimated=any(end.estimated for end in ends),
            seconds=run.trace[-1].at_s,
        )
        yield 0, f"\ncut off: the trace ends before the run does\n\n{totals_line(totals)}"
