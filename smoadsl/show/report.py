"""Report, to tell from a trace who said what, who was dropped and why, what the aggregate saw, and what it took."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, assert_never

from smoadsl.classes import dataclass
from smoadsl.runtime import events
from smoadsl.show.safe import (
    decided_by,
    kept_and_dropped,
    laid_out,
    listed,
    one_line,
    stop_checked,
    taken,
    told,
)
from smoadsl.show.totals import totals_line
from smoadsl.show.trace import Call, Trace, in_rounds, inside, round_of
from smoadsl.show.words import rule

_STEP = 2  # the indentation of what happened in a round; what belongs to it stands further in
_FEW_WORDS = 150  # characters that are left of a text in brief

Tone = Literal["plain", "quoted", "good", "bad", "warning"]


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is told: how far it is indented, and a text of any length. `tone` says what it is: a text of a
    model or a person (`quoted`), who went on (`good`) and who did not (`bad`), what did not go as written."""

    indent: int
    text: str
    tone: Tone = "plain"


class _Run(Trace):
    """A trace, and how much of its texts is told."""

    def __init__(self, trace: Iterable[events.Event], most: int | None) -> None:
        super().__init__(tuple(trace))
        self._most = most

    def quoted(self, indent: int, text: str) -> Line:
        whole = text.strip("\r\n")
        return Line(indent, whole if self._most is None else one_line(text, self._most), "quoted")

    def text(self, text: str) -> str:
        return self.quoted(0, text).text


def report_text(trace: Iterable[events.Event], *, brief: bool = False, width: int = 80) -> str:
    """The report of a run, be it finished, failed or cut off: text without colour, in lines of `width` columns.
    Raises `ValueError` or `LookupError` for events that are not those of one run."""
    lines: list[tuple[int, str]] = []
    for paragraph in report(trace, most=_FEW_WORDS if brief else None):
        if paragraph and paragraph[0].indent == _STEP and lines[-1][0] and not brief:
            lines.append((0, ""))  # between long texts
        lines += [(line.indent, line.text) for line in paragraph]
    return laid_out(lines, width)


def report(trace: Iterable[events.Event], *, most: int | None = None) -> Iterator[list[Line]]:
    """What is told of a run, a paragraph for each event of which there is something to tell; of each text no more than
    `most` characters. A line that is not indented begins a section."""
    run = _Run(trace, most)
    for event in in_rounds(run.events):
        yield list(_lines(event, run))
    yield list(_cut_off(run))


def _lines(event: events.Event, run: _Run) -> Iterator[Line]:
    match event:
        case events.RunStarted():
            yield Line(0, f"pipeline {event.plan.pipeline.name}, seed {event.seed}")
            for number, message in enumerate(event.messages, 1):
                yield Line(0, "\nprompt" if number == len(event.messages) else f"\n{message.role}")
                yield run.quoted(2, message.content)
        case events.LayerSkipped() | events.Activated():
            yield Line(0, "\n" + told(event, {}, run.layers))
        case events.RoundStarted():
            yield Line(0, "\n" + told(event, {}, run.layers).partition(":")[0])
        case events.CallStarted():
            yield from _call(run.calls[event.call], run)
        case events.Judged():
            yield from _judged(event, run)
        case events.StopChecked():
            yield from _stop(event, run)
        case events.Degraded():
            yield Line(_STEP, f"degraded: {event.why}", "warning")
        case events.RunFinished():
            yield from _finished(event, run)
            yield Line(0, f"\n{totals_line(event.totals)}")
        case events.RunFailed():
            yield Line(0, f"\nfailed: {event.message}", "warning")
            yield Line(0, f"\n{totals_line(event.totals)}")
        case events.CallAttempted() | events.CallSucceeded() | events.CallFailed() | events.VerdictUnreadable():
            pass  # told with the call that they are about
        case events.PipelineAnswered():
            yield Line(_STEP, f"{event.agent} · the pipeline {event.pipeline}")
            yield run.quoted(4, event.text)
        case events.AnswerPiece():
            pass  # the whole text is told with the aggregate's call
        case _:
            assert_never(event)


def _call(call: Call, run: _Run) -> Iterator[Line]:
    """Who was asked, what it took, what came of it; and every attempt, where one failed."""
    asked, end = call.started, call.end
    is_aggregate = asked.purpose == "aggregate"
    if is_aggregate:
        yield Line(0, f"\n{asked.agent}")
    parts = {"propose": [asked.agent], "aggregate": [asked.model]}.get(
        asked.purpose, [f"{asked.purpose} {asked.model}"]
    )
    parts += ["asked once more"] * asked.repair
    parts += [asked.model] * (
        asked.purpose == "propose"
        and re.split(r"[. ]", asked.agent.removeprefix(inside(asked.agent)))[0] != asked.model
    )
    if isinstance(end, events.CallSucceeded):
        parts += [end.model] * (end.model != asked.model) + [taken(end, asked.at_s)]
        parts += ["cut at max_tokens"] * (end.finish == "length")
    yield Line(_STEP, " · ".join(parts))
    if is_aggregate:
        yield Line(4, _seen(asked))
    for attempt in call.attempts if len(call.attempts) > 1 else ():
        then = "" if attempt.wait_s is None else f" (the next after {attempt.wait_s:.1f} s)"
        yield Line(4, f"attempt {attempt.attempt}: {attempt.message or attempt.outcome}{then}")
    match end:
        case events.CallFailed():
            yield Line(4, f"failed after {end.at_s - asked.at_s:.1f} s: {end.message}", "warning")
        case None:
            yield Line(4, "no response before the trace ends", "warning")
        case events.CallSucceeded():
            if call.fault:
                yield Line(4, f"unreadable: {call.fault}", "warning")
            for name, text in zip(asked.samples, (end.text, *end.others), strict=False):
                yield Line(4, name)
                yield run.quoted(6, text)
            if call.fault or is_aggregate or (asked.purpose == "propose" and not asked.samples):
                yield run.quoted(4, end.text)


def _seen(asked: events.CallStarted) -> str:
    """Which responses stand in the aggregate's prompt."""
    if not asked.references:
        return "saw no responses"
    return f"saw {listed(asked.references)} of {asked.layer} round {asked.round}"


def _judged(event: events.Judged, run: _Run) -> Iterator[Line]:
    kept, dropped = kept_and_dropped(event, {number: call.started for number, call in run.calls.items()})
    verdicts = [call for call in run.calls.values() if call.started.purpose == "judge"]
    last = next((call for call in reversed(verdicts) if round_of(call.started) == round_of(event)), None)
    if last is None or last.fault or event.by != last.started.model:  # else it stands under the judge's call
        yield Line(_STEP, f"judge {decided_by(event)}")
    yield Line(4, f"kept: {kept}", "good")
    if dropped:
        yield Line(4, f"dropped: {dropped}", "bad")
    if event.ranking[: len(event.kept)] != event.kept:  # which is in declared order
        yield Line(4, f"best first: {', '.join(event.ranking)}")
    if event.reason:
        yield Line(4, f"reason: {run.text(event.reason)}")
    if event.scores:
        yield Line(4, "scores: " + ", ".join(f"{agent} {score:g}" for agent, score in event.scores.items()))
    for agent, remark in event.remarks.items():
        yield Line(4, f"remark on {agent}: {run.text(remark)}")


def _stop(event: events.StopChecked, run: _Run) -> Iterator[Line]:
    """The rules of a round are looked at in their order, so the place of an event among its like says which it is."""
    of_round = [e for e in run.events if not isinstance(e, events.RunStarted) and round_of(e) == round_of(event)]
    layer = run.layers[event.layer]
    rules = [stop for stop in layer.stops if event.round < layer.rounds or stop.whole_pipeline]
    yield Line(_STEP, rule(rules[[e for e in of_round if isinstance(e, events.StopChecked)].index(event)]))
    is_asked = any(isinstance(e, events.CallStarted) and e.purpose in ("judge", "moderator") for e in of_round)
    why = "" if is_asked or True not in event.values.values() else " (all answers are equal)"
    yield Line(4, f"{stop_checked(event)}{why}")
    if event.reason not in ("", *(e.reason for e in of_round if isinstance(e, events.Judged))):
        yield Line(4, f"reason: {run.text(event.reason)}")


def _finished(event: events.RunFinished, run: _Run) -> Iterator[Line]:
    answers = [call.end for call in run.calls.values() if call.started.agent == "aggregate"]
    if not any(isinstance(end, events.CallSucceeded) and end.text == event.text for end in answers):
        yield Line(0, "\nanswer")
        yield run.quoted(_STEP, event.text)
    if run.plan.pipeline.answer.kind != "text":
        yield Line(0, f"\nanswer read as: {event.value or 'nothing'}")
    if event.degraded:
        yield Line(0, "\ndegraded: the run did not go as it was written", "warning")
    for why in dict.fromkeys(event.degraded):
        yield Line(_STEP, why, "warning")


def _cut_off(run: _Run) -> Iterator[Line]:
    """What stands in the place of the end that a trace lacks."""
    if not isinstance(run.events[-1], events.RunFinished | events.RunFailed):
        ends = [call.end for call in run.calls.values() if isinstance(call.end, events.CallSucceeded)]
        totals = events.Totals(
            calls=len(run.calls),
            attempts=sum(len(call.attempts) for call in run.calls.values()),
            input_tokens=sum(end.input_tokens for end in ends),
            output_tokens=sum(end.output_tokens for end in ends),
            estimated=any(end.estimated for end in ends),
            seconds=run.events[-1].at_s,
        )
        yield Line(0, "\ncut off: the trace ends before the run does", "warning")
        yield Line(0, f"\n{totals_line(totals)}")
