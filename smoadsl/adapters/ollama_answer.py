"""An Ollama answer, to read a chat's response: one object, or a line for each piece and one that says done."""

from smoadsl.adapters.base import JSON, FaultKind
from smoadsl.adapters.gather import Gathering, Misshapen, Wire, text_of
from smoadsl.adapters.usage import Counts


def _take_body(so_far: Gathering, body: dict[str, JSON]) -> None:
    if not isinstance(body.get("message"), dict):
        raise Misshapen
    _take(so_far, body)


def _take(so_far: Gathering, body: dict[str, JSON]) -> bool:
    """Take what a body or a line says. Gives whether it brought anything at all."""
    if isinstance(model := body.get("model"), str) and model:
        so_far.model = model
    message = body.get("message")
    if isinstance(message, dict):
        so_far.thinks(0, text_of(message.get("thinking")))
        so_far.says(0, text_of(message.get("content")))
    if body.get("done") is True:
        so_far.counts = Counts(input=body.get("prompt_eval_count"), output=body.get("eval_count"))
        so_far.ends(0, body.get("done_reason") or "unknown")
        so_far.finish()
    return isinstance(message, dict)


CHAT = Wire(
    name="chat response",
    endings={"stop": "stop", "length": "length", "load": FaultKind.EMPTY, "unload": FaultKind.EMPTY},
    take_body=_take_body,
    take_event=_take,
)
"""/api/chat."""
