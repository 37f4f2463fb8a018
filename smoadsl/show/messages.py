"""Messages, to show the calls of a prompt to a person before any is made: who is asked, how, and with which words."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from smoadsl.runtime.preview import Preview, Shown
from smoadsl.show.safe import counted, laid_out, one_line

WIDTH = 80
_MOST_SHOWN_OF_PAIRS = 2
_MARKS = (
    "Words in ‹ › stand for replies that are not there yet. The marks in [ ] around quoted texts are drawn from all "
    "the texts of a message: with real replies they are others. All else is as it will be sent."
)
_Line = tuple[int, str]  # its indentation, and what it says


def messages_text(preview: Preview, width: int = WIDTH) -> str:
    """Every call with its messages, in lines of at most `width` columns: long ones are broken between words."""
    lines: list[_Line] = [(0, f"{_calls(preview)} of pipeline {preview.pipeline}, none of them made"), (0, "")]
    lines += [(0, sentence) for sentence in (_MARKS, *preview.assumed)]
    for (_, _, _, purpose), group in groupby(preview.calls, key=_pairwise_key):
        calls = list(group)
        shown = calls[:_MOST_SHOWN_OF_PAIRS] if purpose == "judge" else calls
        for call in shown:
            lines += _call(call, width)
        if len(calls) > len(shown):
            more = f"… and {len(calls) - len(shown)} more of this judge: each pair of responses in both orders"
            lines += [(0, ""), (0, more)]
    return laid_out(lines, width)


def _calls(preview: Preview) -> str:
    return counted(sum(call.times for call in preview.calls), "call")


def _pairwise_key(call: Shown) -> tuple[str, tuple[int, ...], str, str]:
    """Equal for the comparisons of one judge in one round; a call of anyone else stands alone."""
    alone = "" if call.purpose == "judge" else call.agent
    return call.layer, call.rounds, alone, call.purpose


def _call(call: Shown, width: int) -> Iterator[_Line]:
    yield 0, ""
    head = one_line(_heading(call), width - 4)
    yield 0, f"── {head} {'─' * max(0, width - len(head) - 4)}"
    yield 0, " · ".join([_model(call), *_settings(call)])
    if call.labels and call.purpose != "router":
        yield 0, "ids: " + ", ".join(f"{label} is {agent}" for label, agent in call.labels.items())
    if call.answer_schema is not None:
        yield 0, f"answers in JSON: {', '.join(call.answer_schema.get('properties', {})) or 'see --json'}"
    for message in call.messages:
        yield 2, f"{message.role}:"
        yield 4, message.content


def _heading(call: Shown) -> str:
    """`propose qwen, layer debate, round 1`."""
    who = call.agent if call.agent.endswith(call.purpose) else f"{call.purpose} {call.agent}"
    if call.purpose == "judge" and "stop" in (call.answer_schema or {}).get("properties", {}):
        who = "judge and moderator"
    rounds = f"round{'s' * (len(call.rounds) > 1)} {_ranges(call.rounds)}" if call.rounds else ""
    times = f"{call.times} times" if call.times > max(1, len(call.rounds)) else ""
    return ", ".join(filter(None, [who, f"layer {call.layer}" if call.layer else "", rounds, times]))


def _ranges(numbers: Sequence[int]) -> str:
    """`1`, `2 to 4`, `1, 3`."""
    if len(numbers) > 1 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))


def _model(call: Shown) -> str:
    own, *others = call.routes
    return f"{call.model} = {own}" + (f", else {', '.join(others)}" if others else "")


def _settings(call: Shown) -> Iterator[str]:
    for name, value in asdict(call.settings).items():
        if value is not None and value != () and value != {}:
            yield f"{name} {value if isinstance(value, int | float | str) else list(value)}"
