"""A Gemini answer, to read the candidates of generateContent, whole or streamed."""

from smoadsl.adapters.base import JSON, FaultKind
from smoadsl.adapters.gather import Gathering, Misshapen, Wire, part_of, text_of
from smoadsl.adapters.usage import Counts, counted


def _take_body(so_far: Gathering, body: dict[str, JSON]) -> None:
    if not {"candidates", "promptFeedback", "usageMetadata"} & body.keys():
        raise Misshapen
    _take(so_far, body)


def _take(so_far: Gathering, body: dict[str, JSON]) -> bool:
    """Take what a body or an event says. Gives whether it brought anything at all."""
    if isinstance(model := body.get("modelVersion"), str) and model:
        so_far.model = model
    if isinstance(usage := body.get("usageMetadata"), dict):
        so_far.counts = _counts(usage)
    feedback = body.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        so_far.blocked(f"the prompt was blocked ({feedback['blockReason']})")
        return True
    candidates = part_of(body.get("candidates"), list)
    for place, candidate in enumerate(candidates):
        _take_candidate(so_far, place, candidate)
    return bool(candidates)


def _take_candidate(so_far: Gathering, place: int, candidate: JSON) -> None:
    if not isinstance(candidate, dict):
        raise Misshapen
    index = candidate.get("index")
    index = index if type(index) is int else place
    content = part_of(candidate.get("content"), dict)
    for part in part_of(content.get("parts"), list):
        if not isinstance(part, dict):
            raise Misshapen
        take = so_far.thinks if part.get("thought") else so_far.says
        take(index, text_of(part.get("text")))
    so_far.ends(index, candidate.get("finishReason"))


def _counts(usage: dict[str, JSON]) -> Counts:
    """The tokens. Thoughts are billed as output, and stand beside the candidates' tokens, not in them."""
    thoughts, said = counted(usage.get("thoughtsTokenCount")), usage.get("candidatesTokenCount")
    return Counts(
        input=usage.get("promptTokenCount"),
        output=said + thoughts if type(said) is int and said >= 0 else said or thoughts,
        cached=usage.get("cachedContentTokenCount"),
        reasoning=thoughts,
    )


_REFUSED = (
    "safety recitation language blocklist prohibited_content spii image_safety image_prohibited_content"
    " image_recitation model_armor escalation pup_limited_disabled"
).split()
_BROKEN_OFF = "finish_reason_unspecified other malformed_response continuation".split()
_TOOLS = "malformed_function_call unexpected_tool_call too_many_tool_calls no_image image_other".split()

CANDIDATES = Wire(
    name="generateContent response",
    endings={
        "stop": "stop",
        "max_tokens": "length",
        **dict.fromkeys(_REFUSED, FaultKind.REFUSED),
        **dict.fromkeys(_BROKEN_OFF, FaultKind.TRUNCATED),
        **dict.fromkeys(_TOOLS, FaultKind.EMPTY),
    },
    take_body=_take_body,
    take_event=_take,
    may_go_on=True,  # earlier models said STOP in every event of a stream
)
"""generateContent and streamGenerateContent."""
