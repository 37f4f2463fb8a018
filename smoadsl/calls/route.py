"""Route, to say where a call goes: a provider as it is declared, without any secret, and a model of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from smoadsl.adapters.base import Sampling
from smoadsl.calls.price import Price


@dataclass(frozen=True, slots=True)
class Env:
    """The name of an environment variable. Its value is read only when a run starts, and kept nowhere else."""

    name: str


@dataclass(frozen=True, slots=True)
class Provider:
    """A named connection. `concurrency` bounds the calls under way at once, `rate_per_s` how many begin in a second,
    `tokens_per_s` how many tokens they may take; `retries` how often a call is tried after its first attempt. `local`:
    it may stand in a private network."""

    name: str
    adapter: str
    base_url: str = ""
    api_key: Env | None = None
    headers: Mapping[str, str | Env] = field(default_factory=dict)
    concurrency: int = 64
    rate_per_s: float | None = None
    tokens_per_s: float | None = None
    timeout_s: float = 600.0
    retries: int = 2
    local: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One model of one provider, with what the model says of its own calls. `price` and `context`, the most tokens that
    the model can read and write in one call, are None where they are not known."""

    provider: str
    model: str
    sampling: Sampling = field(default_factory=Sampling)
    timeout_s: float | None = None
    retries: int | None = None
    price: Price | None = None
    context: int | None = None

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"
