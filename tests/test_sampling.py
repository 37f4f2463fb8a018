"""Test sampling, to hold how responses are drawn to what the language says of it: whose settings count, and chance."""

import pytest

from smoadsl.adapters.base import Fault, FaultKind, Request
from smoadsl.diagnostics.source import Source
from smoadsl.language.check import Given
from smoadsl.runtime.events import CallStarted, Judged
from smoadsl.tools import api
from tests.scripts import made, pipeline, plainly, planned, run


def test_settings_of_a_place_come_before_the_models_and_judges_are_cold() -> None:
    made_ = made(
        "layer one repeat 2 {\n propose a, c { top_p = 0.5 }\n judge j keep 1\n stop when moderator(a)\n}",
        "aggregate a { temperature = 0.1, max_tokens = 7 }",
    )
    drawn = {name: made_.of(name).request.sampling for name in ("a", "c", "judge", "moderator", "aggregate")}
    assert (drawn["a"].temperature, drawn["a"].max_tokens, drawn["a"].top_p) == (0.7, 50, 0.5)
    assert (drawn["c"].temperature, drawn["c"].max_tokens, drawn["c"].top_p) == (None, 2048, 0.5)
    assert (drawn["judge"].temperature, drawn["judge"].max_tokens) == (0.0, 2048)
    assert (drawn["moderator"].temperature, drawn["moderator"].max_tokens) == (0.0, 50)
    assert (drawn["aggregate"].temperature, drawn["aggregate"].max_tokens) == (0.1, 7)
    warm = made("layer one {\n propose a, c\n judge j keep 1 { temperature = 0.4 }\n}")
    assert warm.of("judge").request.sampling.temperature == 0.4


def test_a_fallback_has_its_own_settings_and_is_as_cold_as_the_place_wants() -> None:
    more = 'model k = "groq/model-k" { fallback = a, retries = 0, temperature = 0.3, top_p = 0.9 }'

    def script(call: CallStarted, request: Request) -> Fault | str:
        if request.model == "model-k":
            return Fault(FaultKind.STATUS, "down", status=500)
        return plainly(call, request)

    layer = "layer one {\n propose k { top_p = 0.5, max_tokens = 9 }\n propose b\n judge k keep 1\n}"
    made_ = run(planned(pipeline(layer, more=more)), script)
    own, fallen = (asked.request for asked in made_.asked if asked.call.agent == "k")
    assert (own.model, own.sampling.temperature, own.sampling.top_p, own.sampling.max_tokens) == (
        "model-k",
        0.3,
        0.5,
        9,
    )
    assert (fallen.model, fallen.sampling.temperature, fallen.sampling.top_p) == ("model-a", 0.7, None)
    assert fallen.sampling.max_tokens == 50
    assert own.messages == fallen.messages
    assert [asked.request.sampling.temperature for asked in made_.asked if asked.call.purpose == "judge"] == [0.0, 0.0]


def test_a_seed_is_mixed_with_agent_sample_and_round_and_is_the_same_in_the_same_run() -> None:
    more = 'model s = "groq/s" { seed = 7 }\nmodel t = "groq/t" { seed = 7 }'

    def seeds(seed: int, prompt: str = "hi") -> list[int | None]:
        made_ = made("layer one repeat 2 { propose s * 2, t }", "aggregate d", more, prompt, seed)
        return [asked.request.sampling.seed for asked in made_.asked]

    first = seeds(0)
    assert first[-1] is None  # the aggregate's model has none
    assert len(set(first[:-1])) == 6
    assert seeds(0) == first
    assert not set(seeds(1)[:-1]) & set(first[:-1])


@pytest.mark.parametrize(
    "drawn", ["judge random() keep 1", "activate 1 by random()", "judge j keep 1 { otherwise = random }"]
)
def test_chance_is_drawn_from_the_seed_the_prompt_and_the_place(drawn: str) -> None:
    def script(call: CallStarted, request: Request) -> str:
        return "?" if call.purpose == "judge" else plainly(call, request)

    plan = planned(pipeline(f"layer one repeat 6 {{\n propose a, b, c, d\n {drawn}\n}}"))

    def choices(prompt: str, seed: int) -> tuple[tuple[str, ...], ...]:
        made_ = run(plan, script, prompt, seed)
        kept = tuple(event.kept for event in made_.events if isinstance(event, Judged))
        return kept or tuple((asked.call.agent,) for asked in made_.asked if asked.call.purpose == "propose")[:1]

    assert choices("hi", 0) == choices("hi", 0)
    assert len({choices("hi", seed) for seed in range(12)}) > 1
    assert len({choices(f"prompt {number}", 0) for number in range(12)}) > 1
    if "activate" not in drawn:
        assert len(set(choices("hi", 0))) > 1, "each round draws anew"


def test_what_a_provider_would_refuse_is_not_sent_where_nobody_wrote_it_for_that_model() -> None:
    thinking = 'model o = "openai/o3"\nmodel k = "groq/model-k" { fallback = o, retries = 0 }'
    made_ = made("layer one {\n propose o, b\n judge o keep 1\n}", "aggregate a", thinking)
    assert made_.of("judge").request.sampling.temperature is None

    def script(call: CallStarted, request: Request) -> Fault | str:
        if request.model == "model-k":
            return Fault(FaultKind.STATUS, "down", status=500)
        return plainly(call, request)

    fallen = run(planned(pipeline("layer one {\n propose a, b\n judge k keep 1\n}", more=thinking)), script)
    judged = [asked.request for asked in fallen.asked if asked.call.purpose == "judge"]
    assert [(one.model, one.sampling.temperature) for one in judged] == [("model-k", 0.0), ("o3", None)]
    written = pipeline("layer one { propose o { temperature = 0.4, seed = 3 } }", more='model o = "groq/o"')
    plan = api.compile(Source("t.moa", written), given=Given(models={"o": "openai/o3"})).value
    assert plan
    sampling = run(plan, plainly).of("o").request.sampling
    assert (sampling.temperature, sampling.seed is None) == (None, False)
