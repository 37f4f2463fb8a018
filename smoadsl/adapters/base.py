"""Base, to say what every adapter is given and must give back: the wire contract, and nothing of ours beyond it."""

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from smoadsl.adapters.dialect import PLAIN, Dialect
from smoadsl.adapters.values import value
from smoadsl.classes import dataclass

Speaker = Literal["system", "user", "assistant"]

JSON = Any  # a value that JSON can hold; a recursive alias would make every use a cast


@value(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as every provider knows it.

    `lasting`: so many characters at its beginning are likely to be sent again, with all that stands before it.
    """

    role: Speaker
    content: str
    lasting: int = 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a response is drawn. What is None is not sent, so the provider's own default holds.

    `max_tokens` bounds the output of one response and is always sent: the plan's bounds rest on it.
    `prompt_cache`: a provider that wants to be told what to keep is told of a long beginning that lasts. To keep it
    costs a quarter more, to read it again a tenth. `extra` is merged into the request's body as it stands, last.
    """

    max_tokens: int = 2048
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning: Literal["none", "low", "medium", "high"] | None = None
    prompt_cache: bool | None = None
    extra: Mapping[str, JSON] = field(default_factory=dict)


@value(frozen=True, slots=True)
class Request:
    """One call of one model. With `schema` (a JSON schema) the reply's text must be JSON that fits it.

    `n` asks for so many answers to the one prompt, which is then paid once: a fault, unless `Connection.dialect` says
    that the endpoint takes it. `tag` says which call of a run this is, for logs and tests; it is never sent. Nor is
    `given`: fields of the row that the run is about, for adapters in this process that answer by them.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    schema: Mapping[str, JSON] | None = None
    tag: str = ""
    n: int = 1
    given: Mapping[str, JSON] = field(default_factory=dict)


@value(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; `estimated` when it did not, or said something absurd.

    `cached_tokens` are those of the input that came from the provider's cache, `written_tokens` those that it was asked
    to keep there, `reasoning_tokens` those of the output that no text came of: parts of the two sums, not additions to
    them, and 0 where the provider does not tell.
    """

    input_tokens: int
    output_tokens: int
    estimated: bool = False
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    written_tokens: int = 0


Unit = Literal["requests", "tokens", "input_tokens", "output_tokens"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a provider's headers said of one of its limits. `limit` is the most that it allows in its period,
    `remaining` what was left of that after this request, `reset_s` in how many seconds all of it is there again, and
    `period_s` how long the period is; None for what was not said."""

    unit: Unit
    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    period_s: float | None = None


@value(frozen=True, slots=True)
class Exchange:
    """What one exchange showed besides the answer: the bytes of the body that came, and the provider's limits."""

    received_bytes: int = 0
    allowances: tuple[Allowance, ...] = ()


Finish = Literal["stop", "length", "unknown"]


@value(frozen=True, slots=True)
class Choice:
    """One more answer to the same request: as whole as a `Reply`, whose usage counts it."""

    text: str
    finish: Finish
    reasoning: str = ""


@value(frozen=True, slots=True)
class Reply:
    """A whole response: never cut by the wire, never empty, never a refusal (those are faults).

    `finish` is `length` when `max_tokens` cut it, `unknown` when the provider ended in good order without a reason.
    `reasoning` is what the model thought before it answered, where the provider shows it: never part of the answer.
    Of a request for `n` answers, the first good one is the reply, the good ones after it are `others`, in the
    provider's order, and each that was refused, cut or missing is one of `faults`: n = 1 + others + faults.
    `model` is the model that answered, as the provider named it. `lost_events` counts the events of a stream that
    could not be read and were passed over: a few words may be missing there, though the stream ended in good order.
    """

    text: str
    finish: Finish
    usage: Usage
    model: str
    lost_events: int = 0
    reasoning: str = ""
    others: tuple[Choice, ...] = ()
    faults: tuple["Fault", ...] = ()
    exchange: Exchange = field(default=Exchange(), compare=False)

    @property
    def answers(self) -> tuple[Choice, ...]:
        """All the good answers, the reply's own first."""
        return (Choice(self.text, self.finish, self.reasoning), *self.others)


Reason = Literal["quota", "context", "policy", "unknown_model"]
"""Why an error status came, where that changes what is worth doing: the quota is spent (waiting does not bring it
back), the request is too long for the model, its content is not allowed, the model is not known."""


class FaultKind(StrEnum):
    """How an attempt failed. The kind decides what is done next, never the provider's words."""

    NOT_SENT = "not_sent"  # name look-up, connection refused, TLS: nothing has left this machine
    NO_RESPONSE = "no_response"  # sent, and the connection closed before the first byte of an answer
    TIMEOUT = "timeout"  # sent, and silence until the time was up
    STATUS = "status"  # the provider answered with an error status
    PROTOCOL = "protocol"  # not HTTP, or HTTP that can not be read
    TRUNCATED = "truncated"  # the answer ended without its terminal marker
    STALLED = "stalled"  # the answer began, then nothing came for too long
    BAD_BODY = "bad_body"  # not JSON, not UTF-8, not the expected shape, too large
    EMPTY = "empty"  # a reply in good order with no text in it
    REFUSED = "refused"  # the model or its filter refused
    LENGTH = "length"  # cut at max_tokens, where that is no answer; said by whoever asked, never by an adapter
    LOCAL = "local"  # on this machine: no key, no weights, no file handles


class Fault(Exception):
    """One attempt that brought no reply. `message` is one sentence for a person and holds no secret.

    `status` is the HTTP status where there was one (also one that came inside a body or a stream). `retry_after_s` is
    the provider's hint. `billed` says that the provider may charge for the attempt. `reason` says more of a status, and
    `should_retry` is the provider's own word on that (`x-should-retry`). `exchange` is set by the adapter.
    """

    def __init__(
        self,
        kind: FaultKind,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        billed: bool = False,
        reason: Reason | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.billed = billed
        self.reason = reason
        self.should_retry = should_retry
        self.exchange = Exchange()


_SECRET_FROM = 12  # characters


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of one provider when a run starts: the only place where a key lives. `repr` shows no secret.

    `local`: it may stand in a private network; else only on the open internet, or on this machine. `public` names the
    headers whose values are no secret, as they stand in a file. `watched`: whoever asks ends an attempt that takes
    longer than `total_timeout_s`, so that the adapter needs no timer for that.
    """

    provider: str
    base_url: str = ""
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    local: bool = False
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 60.0
    idle_timeout_s: float = 60.0
    total_timeout_s: float = 600.0
    watched: bool = False
    dialect: Dialect = PLAIN
    public: frozenset[str] = frozenset()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not come back in an answer. What is short is a word like any other (`EMPTY`, `ollama`), which many
        a local server is given for a key."""
        kept = (value for name, value in self.headers.items() if name not in self.public)
        return tuple(secret for secret in (self.api_key, *kept) if secret and len(secret) >= _SECRET_FROM)


OnText = Callable[[str], None]


@runtime_checkable
class Lists(Protocol):
    """An adapter that can say which models its provider has. None has to."""

    async def models(self) -> tuple[str, ...]:
        """The ids of all models that may be asked, in one request. Raises `Fault`."""
        ...


class Adapter(Protocol):
    """How one provider is spoken to."""

    async def complete(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Make exactly one attempt. With `on_text` the response is streamed, and each piece handed over as it comes,
        what comes together in one piece; of several answers those of the first, whatever becomes of it.

        Raises `Fault`, and nothing else but cancellation. What was handed to `on_text` before a fault is not an answer.
        """
        ...

    async def aclose(self) -> None:
        """Give back what the adapter holds: connections, threads, memory."""
        ...
