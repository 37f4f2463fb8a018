"""Test growth, to give the compiler too much of everything: its time and memory stay in line with the text."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from smoadsl.diagnostics.render.text import render
from smoadsl.diagnostics.source import Source
from smoadsl.language.parse import MOST_CHARACTERS, parse
from smoadsl.plan.compile import analyse
from tests.test_robust import survives

MANY = 100_000


DEEP = {
    "lists": "model m = " + "[" * MANY,
    "objects": "model m = x " + "{ a = " * MANY,
    "blocks": "pipeline p " + "{" * MANY,
    "lines of blocks": "pipeline p " + "{\n" * MANY,
    "calls": "roles r = " + "f(" * MANY,
    "mixed": "roles r = " + "[{ a = (" * MANY,
    "negations": "pipeline p { layer l { stop when " + "not " * MANY,
    "negations in parentheses": "pipeline p { layer l { stop when " + ("not " * 9 + "(") * MANY,
    "closed by the wrong one": "model m = [ " + "}[ " * (MANY // 5),
    "and closed again": "roles r = " + "[" * MANY + "]" * MANY,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_what_is_too_deep_is_told_once_and_at_once(text: str) -> None:
    begin = time.process_time()
    assert survives(text[:MOST_CHARACTERS]) == ["MOA004"]
    assert time.process_time() - begin < 3


@pytest.mark.parametrize(
    "condition", ["not " * 60 + "true", "(" * 60 + "true" + ")" * 60, "not (round > 1 and (" * 20 + "true" + "))" * 20]
)
def test_what_may_be_deep_is_carried_through(condition: str) -> None:
    text = f'model m = "groq/x"\npipeline p {{\n  layer l repeat 2 {{\n    propose m\n    stop when {condition}\n  }}\n'
    assert survives(text + "  aggregate m\n}\n") == []


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


def test_of_very_many_problems_a_hundred_are_shown_and_all_are_counted() -> None:
    source = Source("x.moa", "}" * MANY)
    said = analyse(source).diagnostics
    shown = render(said)
    assert len(said) == MANY
    assert shown.count("error[MOA012]") == 100
    assert f"and {MANY - 100} more" in shown.replace(",", "")
    assert len(shown) < 50_000


CHAINS = {
    "pipelines": (
        'model m = "groq/x"\n@pipeline p# { layer l { propose p+ }\n  aggregate m }\n@',
        "pipeline p@ { aggregate m }\n",
    ),
    "pipelines in a circle": ('model m = "groq/x"\n@pipeline p# { layer l { propose p+ }\n  aggregate m }\n@', ""),
    "fallbacks": ('@model m# = "groq/x" { fallback = m+ }\n@pipeline p { aggregate m0 }\n', 'model m@ = "groq/x"\n'),
    "fallbacks in a circle": ('@model m# = "groq/x" { fallback = m+ }\n@pipeline p { aggregate m0 }\n', ""),
}


@pytest.mark.parametrize(("links", "last"), CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_of_a_thousand_is_followed_or_told(links: str, last: str) -> None:
    begin, link, end = links.split("@")
    n = 1_000
    chain = "".join(link.replace("#", str(i)).replace("+", str(i + 1 if last else (i + 1) % n)) for i in range(n))
    survives(begin + chain + last.replace("@", str(n)) + end)
