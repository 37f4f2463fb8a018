"""Route, to say where a call goes: a provider as it is declared, without any secret, and a model of it."""

from collections.abc import Mapping
from dataclasses import field, replace
from decimal import Decimal
from typing import Literal

from smoadsl.adapters.base import Sampling, Usage
from smoadsl.calls.price import Price
from smoadsl.classes import dataclass


@dataclass(frozen=True, slots=True)
class Env:
    """The name of an environment variable. Its value is read only when a run starts, and kept nowhere else."""

    name: str

    def value_in(self, environ: Mapping[str, str]) -> str:
        """Its value; empty where it is not set."""
        return environ.get(self.name, "").strip()


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in any period of so many seconds."""

    count: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Provider:
    """A named connection. `concurrency` bounds the calls under way at once, `rate` how many may begin, `tokens_rate`
    how many tokens they may take; `retries` how often a call is tried after its first attempt. `ttft_s`: how long the
    first of an answer's text may take. `local`: it may stand in a private network."""

    name: str
    adapter: str
    base_url: str = ""
    api_key: Env | None = None
    headers: Mapping[str, str | Env] = field(default_factory=dict)
    concurrency: int = 64
    rate: Rate | None = None
    tokens_rate: Rate | None = None
    timeout_s: float = 600.0
    ttft_s: float | None = None
    retries: int = 2
    local: bool = False

    @property
    def variables(self) -> tuple[Env, ...]:
        """All that has to be set for it."""
        in_headers = (value for value in self.headers.values() if isinstance(value, Env))
        return (*((self.api_key,) if self.api_key else ()), *in_headers)

    def without_keys(self) -> "Provider":
        """The same, for where its keys may not go, or where nothing is sent."""
        return replace(self, api_key=None, headers={})


@dataclass(frozen=True, slots=True)
class Route:
    """One model of one provider, with what the model says of its own calls.

    `price` None: not known; so is `context`, the most tokens that a request and its answer may have together.
    `hedge_s`: how long an answer may take before another copy is asked for. `length`: what becomes of an answer that
    was cut at `max_tokens`: it is taken, asked for once more with twice as many, or a fault. `ttft_s`: how long the
    first of its text may take. `fallback_on_refusal`: what is refused here may be answered by the next route. `reads`:
    the fields of the row that the adapter is given. `written`: the answer stands in one of them already, and takes no
    tokens.
    """

    provider: str
    model: str
    sampling: Sampling = field(default_factory=Sampling)
    timeout_s: float | None = None
    ttft_s: float | None = None
    retries: int | None = None
    price: Price | None = None
    hedge_s: float | None = None
    length: Literal["accept", "grow", "fail"] = "accept"
    context: int | None = None
    reads: tuple[str, ...] = ()
    written: bool = False
    fallback_on_refusal: bool = False

    def usd_at_most(self, input_tokens: int, output_tokens: int) -> Decimal | None:
        """The dearest that so many tokens can be here; None where there is no price."""
        if self.price is None:
            return None
        if self.sampling.prompt_cache:
            return self.price.of(Usage(input_tokens, output_tokens, written_tokens=input_tokens))
        return self.price.of_tokens(input_tokens, output_tokens)

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"
