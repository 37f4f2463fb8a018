"""Test growth, to hold the compiler's time and memory to the size of what it reads, however often it stands there."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.language.parse import MOST_CHARACTERS, parse
from smoadsl.plan.compile import analyse
from tests.test_robust import survives


def times(text: str) -> Callable[[int], str]:
    """A text with `@` for what stands in it many times, each with a number of its own for `#`."""
    begin, middle, end = text.split("@")
    return lambda n: begin + "".join(middle.replace("#", str(i)) for i in range(n)) + end


GROWING = {
    "models": times('@model m# = "groq/x"\n@pipeline p { aggregate m1 }'),
    "roles in a list": times('roles r = [@"a",\n@]\n'),
    "settings": times('model m = "groq/x" { extra = { @a# = 1, @ } }'),
    "unknown settings": times('model m = "groq/x" { @a# = 1\n@ }'),
    "layers": times('model m = "groq/x"\npipeline p {\n@layer l# { propose m }\n@aggregate m\n}'),
    "pipelines": times('model m = "groq/x"\n@pipeline p# { aggregate m }\n@'),
    "judges": times('model m = "groq/x"\npipeline p { layer l { propose m\n@judge m keep 1\n@} }'),
    "conditions": times('model m = "groq/x"\npipeline p { layer l { propose m\nstop when @round > # or @true } }'),
    "params": times('@param p# = 1 in [1, 2]\n@model m = "groq/x"'),
    "one name declared again": times('@model m = "groq/x"\n@'),
    "broken items": times("@model m# =\n@"),
    "broken statements": times("pipeline p {\n@layer l# { propose m m }\n@}"),
    "broken settings": times("model m = x {\n@a# = \n@}"),
    "broken values": times("roles r = [\n@a b,\n@]"),
    "brackets that close nothing": times("@}@"),
    "lines that close nothing": times("@} ]\n@"),
    "wrong brackets": times("@model m = [1}\n@"),
    "brackets never closed": times("@model m = [(\n@"),
    "statements in blocks never closed": times("pipeline p {\n@layer l {\npropose m\naggregate m\n@"),
    "strange characters": times("@é @"),
    "strange lines": times("@é\n@"),
    "quotes": times("@'a\n@"),
    "curly quotes": times("@“a @"),
    "texts never closed": times('@"a\n@'),
    "foreign comments": times("@/* a @"),
    "turned comments": times("@# \u202e\n@"),
    "turned texts": times('roles r = [@"\u202e",@]'),
    "bad numbers": times("@model m = 0x1\n@"),
    "keywords": times("@model @"),
    "negations": times("pipeline p { layer l { stop when @not a or @b } }"),
    "dots": times("pipeline p { layer l { stop when a@.a@ } }"),
    "blank lines": times("@\n@"),
    "spaces": times("@ @"),
    "letters": times("model @a@"),
    "digits": times("model m = @1@"),
    "backslashes": times('model m = "@\\@"'),
    "escapes": times('model m = "@\\u00e9@"'),
    "half characters": times('model m = "@\\ud83d@"'),
    "lines of a text block": times('template t = """@\n  {{ a }}\n@"""'),
    "names in a template": times('template t = """@{{ n# }}@"""\npipeline p { aggregate m { template = t } }'),
    "tags in a template": times('template t = """@{% if a %}@"""\npipeline p { aggregate m { template = t } }'),
    "unknown names": times('model qwen = "groq/x"\npipeline p { layer l { propose @qwn#, @qwen }\naggregate qwen }'),
    "agents by name": times('model m = "groq/x"\npipeline p { layer l {\n@propose a# = m sees [a#]\n@} aggregate m }'),
    "tests": times('model m = "groq/x"\npipeline p { aggregate m }\n@test "#" for p {\n  prompt "x"\n}\n@'),
    "imports": times('@import "a#.moa"\n@'),
}
GROWING |= {
    "layers that may be skipped": times(
        'model m = "groq/x"\npipeline p { layer o { propose m }\n'
        "@layer l# when round < 2 { propose m sees [m] }\n@aggregate m }"
    ),
    "statements left out": times('model m = "groq/x"\npipeline p { layer l { propose m\n@stop wen round > 1\n@} }'),
    "unknown providers": times('@provider p# = openai { base_url = "https://h.example" }\nmodel m# = "q#/x"\n@'),
    "unknown fallbacks": times('@model m# = "groq/x" { fallback = n# }\n@'),
    "replies": times('model m = "groq/x"\npipeline p { aggregate m }\ntest "x" for p { prompt "x"\n@reply q# "x"\n@}'),
    "keys in an object": times('model m = "groq/x" { extra = { @a = 1, @ } }'),
    "uses of a template": times(
        'template t = "{{ prompt }}"\nmodel m = "groq/x"\npipeline p { layer l {@propose m { template = t }\n@} }'
    ),
}
BASE_S = 0.008
MOST_GROWTH = 9  # linear is 4, quadratic 16


@pytest.mark.parametrize("write", GROWING.values(), ids=GROWING.keys())
def test_time_grows_with_the_text_and_no_faster(write: Callable[[int], str]) -> None:
    n = 250
    while seconds(write(n)) < BASE_S and len(write(8 * n)) < MOST_CHARACTERS:
        n *= 2
    growth = [seconds(write(4 * n)) / max(0.002, seconds(write(n)))]
    while growth[-1] > MOST_GROWTH and len(growth) < 4:  # something else may have been at work
        growth.append(seconds(write(4 * n)) / max(0.002, seconds(write(n))))
    assert growth[-1] <= MOST_GROWTH, growth


def seconds(text: str) -> float:
    assert len(text) <= MOST_CHARACTERS
    begin = time.process_time()
    render(analyse(Source("x.moa", text)).diagnostics)
    return time.process_time() - begin


BOMBS = {
    "samples of many targets": 'model m = "groq/x"\npipeline p { layer l { propose '
    + "m * 1000, " * 900
    + "m }\naggregate m }",
    "samples of a list": 'model m = "groq/x"\nparam t = ['
    + "m, " * 999
    + "m]\npipeline p { layer l { propose t * 1000 }\naggregate m }",
    "layers of samples": 'model m = "groq/x"\npipeline p {\n'
    + "".join(f"layer l{i} {{ propose m * 1000 }}\n" for i in range(900))
    + "aggregate m }",
    "pipelines of samples": 'model m = "groq/x"\n'
    + "".join(f"pipeline p{i} {{ layer l {{ propose m * 1000 }}\naggregate m }}\n" for i in range(900)),
    "generated roles": 'model m = "groq/x"\n'
    + "".join(f"roles r{i} = generate(m, 1000)\n" for i in range(900))
    + "pipeline p { aggregate m }",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_little_text_can_not_ask_for_much(text: str) -> None:
    begin = time.process_time()
    codes = survives(text)
    assert time.process_time() - begin < 3
    assert [code for code in codes if not code.startswith("MOA9")] in (["MOA320"], ["MOA203"])


def test_a_long_file_takes_no_more_memory_than_its_meaning() -> None:
    text = "".join(f'model m{i} = "groq/x" {{ temperature = 0.5, top_p = 1 }}\n' for i in range(4_000))
    parse(Source("x.moa", text[:1_000]))
    tracemalloc.start()
    try:
        parsed = parse(Source("x.moa", text))
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parsed.value
    assert most < 1.25 * kept
