"""An OpenAI answer, to read chat completions: whole ones, and those that come as a stream of events."""

from collections.abc import Iterator

from smoadsl.adapters.base import JSON, Exchange, FaultKind, Finish, Reply, Request, Usage
from smoadsl.adapters.gather import Gathering, Misshapen, Wire, part_of, text_of
from smoadsl.adapters.openai_pieces import PLAIN, PieceReader, says_more
from smoadsl.adapters.usage import Counts, counted, usage_of

_PLAIN_ENDS: dict[JSON, Finish] = {"stop": "stop", "length": "length"}
_SUMS = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))
_REASONING = ("reasoning_content", "reasoning")  # DeepSeek's name and vLLM's, then OpenRouter's and Groq's


def _take_body(so_far: Gathering, body: dict[str, JSON]) -> None:
    if not isinstance(body.get("choices"), list):
        raise Misshapen
    _take(so_far, body, "message")


def _plain(request: Request, body: JSON, exchange: Exchange) -> Reply | None:
    """The reply of a body that is nothing but one whole text and its count."""
    try:
        (choice,) = body["choices"]
        said, usage = choice["message"], body["usage"]
        text, read, written = said["content"], usage["prompt_tokens"], usage["completion_tokens"]
        finish = _PLAIN_ENDS[choice["finish_reason"]]
    except (LookupError, TypeError, ValueError):
        return None
    if (
        type(text) is not str
        or not text.strip()
        or choice.get("index", 0) != 0
        or not counted(read)
        or not counted(written)
        or body.get("error")
        or choice.get("error")
        or (not said.keys() <= PLAIN and says_more(said))
        or type(model := body.get("model")) is not str
        or not model
    ):
        return None
    used = Usage(read, written) if usage.keys() <= _SUMS else usage_of(request, text.__str__, _counts(usage))
    return Reply(text, finish, used, model, 0, "", (), (), exchange)


def _take_about(so_far: Gathering, body: dict[str, JSON]) -> None:
    """Take what a body or an event says besides the answer."""
    if isinstance(model := body.get("model"), str) and model:
        so_far.model = model
    if isinstance(usage := body.get("usage"), dict):
        so_far.counts = _counts(usage)


def _take_event(so_far: Gathering, body: dict[str, JSON]) -> bool:
    return _take(so_far, body, "delta")


def _take(so_far: Gathering, body: dict[str, JSON], part: str) -> bool:
    """Take what a body or an event says. Gives whether it brought anything at all."""
    _take_about(so_far, body)
    brought = False
    for index, choice in _choices(body.get("choices")):
        if choice.get("error") and not so_far.finished:
            so_far.error(choice["error"])
        said = part_of(choice.get(part), dict)
        so_far.says(index, _text(said.get("content")))
        so_far.thinks(index, next((said[key] for key in _REASONING if isinstance(said.get(key), str)), ""))
        if isinstance(refusal := said.get("refusal"), str):
            so_far.refuses(index, refusal)
        so_far.ends(index, choice.get("finish_reason"))
        brought = brought or any(value for key, value in said.items() if key != "role")
    return brought


def _choices(choices: JSON) -> Iterator[tuple[int, dict[str, JSON]]]:
    """Each choice with its number: its own, else its place."""
    for place, choice in enumerate(part_of(choices, list)):
        if not isinstance(choice, dict):
            raise Misshapen
        index = choice.get("index")
        yield index if type(index) is int else place, choice


def _text(content: JSON) -> str:
    """The text of a content, which some providers cut into parts."""
    if isinstance(content, list):
        return "".join(text_of(part.get("text") if isinstance(part, dict) else part) for part in content)
    return text_of(content)


def _counts(usage: dict[str, JSON]) -> Counts:
    inputs, outputs = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = inputs.get("cached_tokens") if isinstance(inputs, dict) else usage.get("prompt_cache_hit_tokens")
    return Counts(
        input=usage.get("prompt_tokens"),
        output=usage.get("completion_tokens"),
        cached=cached,  # the second spelling is DeepSeek's
        reasoning=outputs.get("reasoning_tokens") if isinstance(outputs, dict) else None,
    )


CHAT = Wire(
    name="chat completion",
    endings={
        "stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop",
        "length": "length", "max_tokens": "length", "model_length": "length",
        "content_filter": FaultKind.REFUSED, "safety": FaultKind.REFUSED, "refusal": FaultKind.REFUSED,
        "error": FaultKind.TRUNCATED, "abort": FaultKind.TRUNCATED, "cancelled": FaultKind.TRUNCATED,
        "tool_calls": FaultKind.EMPTY, "function_call": FaultKind.EMPTY,
    },
    take_body=_take_body,
    take_event=_take_event,
    pieces=PieceReader,
    plain=_plain,
    last="[DONE]",
)  # fmt: skip
"""Chat completions, in all the words that those who follow them have for an answer's end."""
