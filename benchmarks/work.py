"""Work, to say what every client does in a benchmark: prompts, each through layers of proposers to one answer."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import islice

PROMPT = (
    "Prompt {number}: explain to a class of ten-year-olds why the sky is blue by day and red in the evening, in a few "
    "sentences, without any formula, and name one thing that they can try at home to see it for themselves."
)
SYSTEM = (
    "Several models were asked what the user asks. Their answers stand below. Write one answer from them that is "
    "better than each: check what they say, leave out what is wrong, and do not speak of them.\n\n{answers}"
)


@dataclass(frozen=True, slots=True)
class Work:
    """What is done: `prompts`, so many of them at once, each through `layers` of `proposers` and an aggregate.

    `delays_ms` are those of the proposers, one after the other and from the beginning again; empty for none. An answer
    that `streams` comes in pieces, `each_ms` apart.
    """

    prompts: int
    at_once: int = 8
    layers: int = 2
    proposers: int = 6
    delays_ms: tuple[int, ...] = ()
    aggregate_ms: int = 0
    streams: bool = False
    each_ms: int = 0
    connections: int = 512

    @property
    def calls_of_a_prompt(self) -> int:
        return self.layers * self.proposers + 1

    @property
    def calls(self) -> int:
        return self.prompts * self.calls_of_a_prompt

    @property
    def models(self) -> tuple[str, ...]:
        """The models of a layer's proposers."""
        delays = self.delays_ms or (0,)
        return tuple(_model(delays[place % len(delays)]) for place in range(self.proposers))

    @property
    def last_model(self) -> str:
        return _model(self.aggregate_ms) + (f"-each-{self.each_ms}" if self.each_ms else "")

    @property
    def critical_path_s(self) -> float:
        """How long one prompt takes at least."""
        return (self.layers * max(self.delays_ms or (0,)) + self.aggregate_ms) / 1000

    @property
    def served_s(self) -> float:
        """How long a server works on all of it, one request after the other."""
        delays = self.delays_ms or (0,)
        of_a_layer = sum(delays[place % len(delays)] for place in range(self.proposers))
        return self.prompts * (self.layers * of_a_layer + self.aggregate_ms) / 1000


def _model(delay_ms: int) -> str:
    return f"mock-{delay_ms}" if delay_ms else "mock"


def prompts_of(work: Work) -> Iterator[str]:
    """The prompts, each of them another."""
    return (PROMPT.format(number=number) for number in range(work.prompts))


Answer = Callable[[str], Awaitable[str]]


async def all_of(work: Work, answer: Answer) -> list[float]:
    """Have all prompts answered, so many at once; when each was, in seconds of the loop's time."""
    import asyncio

    loop = asyncio.get_running_loop()
    prompts, ended = prompts_of(work), []

    async def worker() -> None:
        for prompt in prompts:
            text = await answer(prompt)
            assert text, "a client gave no answer"
            ended.append(loop.time())

    await asyncio.gather(*(worker() for _ in islice(range(work.prompts), work.at_once)))
    return ended


def system_prompt(answers: list[str]) -> str:
    """What the simple clients tell those who read the answers of a layer."""
    return SYSTEM.format(answers="\n\n".join(f"{place}. {text}" for place, text in enumerate(answers, 1)))
