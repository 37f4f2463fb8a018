"""Given, to answer with what stands in a field of the row already, at no cost and without asking anybody."""

from smoadsl.adapters.base import Connection, Fault, FaultKind, OnText, Reply, Request, Usage

_BYTES_A_TOKEN = 4  # what a bound in tokens allows of a text that was cut into none


class Given:
    """The adapter `input`: its models are names of fields. The answer takes no tokens, as nothing is read or written;
    it is cut at `max_tokens` like any other, since the bounds of whoever reads it rest on that."""

    def __init__(self, connection: Connection) -> None:
        self._provider = connection.provider

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """The field's text. Raises `Fault` where the row has none."""
        field = request.model
        if field not in request.given:
            message = f"the row has no field `{field}`, which {self._provider}/{field} answers with"
            raise Fault(FaultKind.LOCAL, message)
        value = request.given[field]
        if not isinstance(value, str):
            message = f"the row's field `{field}` holds no text, and {self._provider}/{field} answers with one"
            raise Fault(FaultKind.LOCAL, message)
        if not value.strip():
            raise Fault(FaultKind.EMPTY, f"the row's field `{field}` is empty")
        whole = value.encode("utf-8", "replace")
        most = _BYTES_A_TOKEN * request.sampling.max_tokens
        text = whole[:most].decode("utf-8", "ignore")
        if on_text is not None:
            on_text(text)
        return Reply(text, "length" if len(whole) > most else "stop", Usage(0, 0), field)

    async def models(self) -> tuple[str, ...]:
        """None is known before there is a row."""
        return ()

    async def aclose(self) -> None:
        """There is nothing to give back."""
