"""Syntax problems, to hold the wording of what parsing says: one function for each code, as in `problems`."""

import json
import re
import unicodedata

from smoadsl.diagnostics.diagnostic import Diagnostic, Related, Severity
from smoadsl.diagnostics.source import Span
from smoadsl.diagnostics.suggest import closest

KEYWORDS = frozenset(
    "import param provider model role roles template pipeline layer repeat when propose as sees activate by quorum "
    "after judge keep stop answer aggregate budget test for prompt input reply error expect in and or not true "
    "false".split()
)
_DECLARATIONS = frozenset("IMPORT PARAM PROVIDER MODEL ROLE ROLES TEMPLATE PIPELINE TEST".split())
_HOMES = {
    **dict.fromkeys("import param provider model role roles template pipeline test".split(), "outside of any block"),
    **dict.fromkeys("answer budget layer aggregate".split(), "in a pipeline"),
    **dict.fromkeys("propose activate quorum judge stop".split(), "in a layer"),
    **dict.fromkeys("prompt input reply expect".split(), "in a test"),
    "repeat": "after the layer's name: `layer NAME repeat 2`",
    "keep": "after a judge: `judge MODEL keep 2`",
    "as": "after what is proposed: `propose MODEL as ROLE`",
    "sees": "after what is proposed: `propose MODEL sees none`",
    "when": "after a layer's name or `stop`",
    "after": "after a quorum: `quorum 2 after 20s`",
    "by": "after `activate 2`",
}  # fmt: skip
_BEGIN_LINES = frozenset(word.upper() for word, home in _HOMES.items() if home.startswith(("in ", "outside")))
_SIGNS = {
    "LBRACE": "`{`", "RBRACE": "`}`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`",
    "EQUAL": "`=`", "COMMA": "`,`", "DOT": "`.`", "STAR": "`*`", "_NL": "the end of the line",
    "NAME": "a name", "STRING": "a text", "TEXT": "a text", "INT": "a whole number", "FLOAT": "a number",
    "DURATION": "a duration", "MONEY": "an amount of money", "RATE": "a rate", "OPERATOR": "a comparison",
}  # fmt: skip
_VALUES = frozenset("STRING TEXT INT FLOAT DURATION MONEY RATE TRUE FALSE LSQB LBRACE NAME".split())
_AMOUNTS = frozenset(("INT", "FLOAT", "DURATION", "MONEY", "RATE"))
_JOIN = "write two comparisons, joined by `and`"
_MOST_SHOWN = 8
_SYNONYMS = {  # what other tools and people call a statement
    **dict.fromkeys("output final return synthesize combine merge finalize answer_with".split(), "aggregate"),
    **dict.fromkeys("rank filter pick choose evaluate critic".split(), "judge"),
    **dict.fromkeys("use ask agent agents models run generate proposer proposers".split(), "propose"),
    **dict.fromkeys("agent llm".split(), "model"), **dict.fromkeys("const let var def".split(), "param"),
    "assert": "expect", "top": "keep", "system": "role", "persona": "role", "include": "import", "stage": "layer",
    "step": "layer", "cap": "budget", "limits": "budget", "mock": "reply", "respond": "reply", "gate": "activate",
}  # fmt: skip
_COUNTED = {"KEEP": "responses", "QUORUM": "agents", "ACTIVATE": "agents", "REPEAT": "rounds", "STAR": "answers"}
_UNITS = {
    "s": ("s", "sec", "secs", "second", "seconds"), "min": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"), "ms": ("ms", "msec", "millis", "millisecond", "milliseconds"),
}  # fmt: skip
_ELSEWHERE = {
    "&": "write `and`", "|": "write `or`", "!": "write `not`", ";": "a statement ends at the end of its line",
    ":": "settings are written `name = value`", "-": "names are joined by `_`, and there is no arithmetic",
    "+": "there is no arithmetic", "%": "a share is written as a number: `0.75`", "`": 'texts stand in double quotes',
    "/": 'a model\'s "provider/id" stands in double quotes',
}  # fmt: skip


def _error(code: str, span: Span, message: str, help: str = "", *related: Related) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, help, related)


def _kind(terminal: str) -> str:
    return _SIGNS.get(terminal) or f"`{terminal.lower()}`"


def _expected(expected: frozenset[str]) -> str:
    """What could stand in a place, in the author's words; empty where that is too much to list."""
    words, shown = set(expected), []
    if "NOT" in words and "LPAR" in words:
        return "a condition"
    if words >= _DECLARATIONS and "BY" not in words:
        return "a declaration"
    if {"BY", "STRING"} <= words:  # as the key of a setting every keyword is an ordinary word
        shown, words = ["a setting"], words - {"NAME", "STRING", *(word.upper() for word in KEYWORDS)}
    elif {"STRING", "INT", "MONEY", "LSQB"} <= words:
        shown, words = ["a value"], words - _VALUES
    elif "BY" in words and "NAME" in words:
        shown, words = ["a name"], words - {"NAME", *(word.upper() for word in KEYWORDS)}
    if {"LPAR", "DOT"} <= words:  # what would only make the name before it longer
        words -= {"LPAR", "DOT"}
    if {"_NL", "$END"} & words:
        words = (words - {"$END"}) | {"_NL"}
    listed = list(dict.fromkeys([*shown, *sorted(_kind(word) for word in words)]))
    if not listed or len(listed) > _MOST_SHOWN:
        return ""
    return listed[0] if len(listed) == 1 else ", ".join(listed[:-1]) + " or " + listed[-1]


def _quoted(text: str, most: int = 60) -> str:
    """A text as it is written, where it is short enough to be copied."""
    return json.dumps(text, ensure_ascii=False) if len(text) <= most else '"…"'


def other_language(span: Span, name: str) -> Diagnostic:
    """A whole file of which no line can be read, and that looks like another language."""
    begins = '`model fast = "groq/llama-3.1-8b-instant"`, then `pipeline NAME { … }`'
    help = f"a .moa file begins so: {begins}; `smoadsl init` writes a whole one"
    return _error("MOA019", span, f"this file looks like {name}, and no line of it can be read", help)


# ---- words


def unknown_character(span: Span, statement: str = "") -> Diagnostic:
    """`statement` is the word with which its line begins, if that is one that begins a statement."""
    first = span.text[0]
    code_point = f"U+{ord(first):04X} {unicodedata.name(first, '')}".rstrip()
    shown = f"`{span.text}`" if span.text.isprintable() and len(span.text) <= 40 else code_point
    if len(span.text) == 1 and not first.isascii() and shown != code_point:
        shown += f" ({code_point})"
    help = "comments begin with `#`" if span.text in ("//", "/*") else _ELSEWHERE.get(first, "")
    if span.text.startswith("```"):
        help = "take this line away: it belongs to the Markdown around a file"
    elif span.text == ":" and statement == "param":
        help = "a param has the type of its value: `param NAME = …`"
    elif span.text == ":" and statement in _HOMES:
        named = statement.upper() in _DECLARATIONS - {"IMPORT", "PIPELINE", "TEST"}
        help = f"write `=`: `{statement} NAME = …`" if named else "a statement has none; settings are `name = value`"
    elif variable := re.fullmatch(r"\$\{?([A-Za-z_]\w*)\}?", span.text):
        help = f'write `env("{variable[1]}")`'
    elif unicodedata.category(first) in ("Zs", "Cf"):
        help = "it can not be seen: take it away, or put an ordinary space in its place"
    elif first.isalpha() or unicodedata.combining(first):
        help = "names are made of the letters a to z, digits and `_`; anything else belongs in a text"
    return _error("MOA005", span, f"{shown} means nothing here", help)


def bad_number(span: Span, before: str = "") -> Diagnostic:
    """`before` is what kind of word precedes it."""
    written = span.text
    help = "numbers are written `2`, `0.5`, `60_000`; durations `20s`; money `$0.05`; rates `600/min`"
    if len(written) > 30:
        help = "no number needs so many digits"
    elif written.endswith("%") and before in _COUNTED:
        help = f"`{before.lower()}` counts {_COUNTED[before]}: `{before.lower()} 1`"
    elif rate := re.fullmatch(r"(\d{1,12}|\d{1,3}(?:_\d{3}){1,3})([kKM]?)/([a-z]+)", written):
        help = _about_rate(int(rate[1]) * {"": 1, "M": 10**6}.get(rate[2], 1000), rate[3]) or help
    elif share := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", written):
        help = f"a share is written as a number: `{float(share[1]) / 100:g}`"
    elif written.startswith("-") and before == "NAME":
        help = "names are joined by `_`; anything else stands in double quotes"
    elif written.startswith("-") and not re.fullmatch(r"-[\d.]+", written):
        help = "only numbers can be negative"
    elif unit := re.fullmatch(r"(\d[\d_]*(?:\.\d+)?)(sec|min|hour|hr|d|day|milli)[a-z]*", written):
        amount, word = unit.groups()
        short = {"sec": "s", "min": "m", "hour": "h", "hr": "h", "milli": "ms"}.get(word)
        help = f"write `{amount}{short}`" if short else f"write it in hours: `{24 * float(amount):g}h`"
    elif parts := re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,4})s)?", written):
        seconds = sum(int(part or 0) * unit for part, unit in zip(parts.groups(), (3600, 60, 1), strict=True))
        help = f"a duration has one unit: `{seconds}s`"
    elif thousands := re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([kKM])", written):
        help = f"write it out: `{float(thousands[1]) * {'M': 1e6}.get(thousands[2], 1e3):_.0f}`"
    elif re.fullmatch(r"\d[\d_.]*e[\d]{1,2}", written):
        help = f"write it out: `{float(written):.15g}`" if float(written) < 1e15 else "write it out"
    return _error("MOA006", span, f"`{written[:40]}` is no number, duration, amount or rate", help)


def _about_rate(count: int, unit: str) -> str:
    if unit in ("d", "day"):
        return f"write it by the hour: `{max(1, count // 24):_}/h`"
    short = next((short for short, names in _UNITS.items() if unit in names), "")
    return f"write `{count:_}/{short}`" if short in ("s", "min", "h") else ""


def short_unit(word: str) -> str:
    """How the unit of a duration is written; empty where the word is none."""
    short = next((short for short, names in _UNITS.items() if word.lower() in names), "")
    return "m" if short == "min" else short


def unterminated(span: Span, block: bool, *read_as_end: Span) -> Diagnostic:
    """`read_as_end` are quotes that open another text, and would end this one."""
    quotes = '"""' if block else '"'
    related = [Related("else it would end here", place) for place in read_as_end]
    return _error("MOA007", span, "this text is never closed", f"close it with `{quotes}`", *related)


def single_quotes(span: Span, text: str, triple: bool = False) -> Diagnostic:
    if triple and re.search(r'[\n\r"\\]', text):  # as Python writes texts of several lines
        return _error("MOA017", span, "texts stand in double quotes", "write `\"\"\"` in place of each `'''`")
    return _error("MOA017", span, "texts stand in double quotes", f"write {_quoted(text)}")


def bad_escape(span: Span) -> Diagnostic:
    if span.text.startswith(r"\u") and len(span.text) == 6:
        return _error("MOA008", span, f"`{span.text}` is half of a character", "write the character itself")
    help = 'a backslash is written `\\\\`; a text block in `"""` takes backslashes as they stand'
    return _error("MOA008", span, f"`{span.text}` is no escape", help)


def unseen_escape(span: Span) -> Diagnostic:
    """Half of LaTeX begins so: `\\boxed`, `\\frac`."""
    sign = "backspace" if span.text == r"\b" else "form feed"
    help = 'a backslash is written `\\\\`; a text block in `"""` takes backslashes as they stand'
    return Diagnostic("MOA926", Severity.ADVICE, f"`{span.text}` is a {sign}, which hardly any text needs", span, help)


def turns_reading(span: Span, in_text: bool) -> Diagnostic:
    """A character that makes what follows look as if it stood elsewhere: a warning in a text, an error in a comment."""
    severity, where = (Severity.ADVICE, "text") if in_text else (Severity.ERROR, "comment")
    shown = " ".join(f"U+{ord(c):04X}" for c in span.text[:8])
    message = f"this {where} hides characters that turn the reading order: {shown}"
    return Diagnostic("MOA018", severity, message, span, "take them away: the file then reads as it is")


# ---- where words stand


def unexpected(span: Span, found: str, expected: frozenset[str], before: str, mend: str = "") -> Diagnostic:
    """A word where another was due; `before` is what kind of word precedes it, `mend` how its statement is mended, if
    the words around it tell."""
    word = span.text
    due = _expected(expected)
    shown = f"`{word}`" if len(word) <= 40 and "\n" not in word else _kind(found)
    message = f"{shown} can not stand here" + (f": expected {due}" if due else "")
    return _error("MOA009", span, message, mend or _help(word, found, expected, before))


def _help(word: str, found: str, expected: frozenset[str], before: str) -> str:
    if found == "EQUAL":
        return _about_equals(expected, before)
    if found in ("STRING", "TEXT"):
        return _about_text(word, expected, before)
    if found in _AMOUNTS:
        return _about_number(word, expected, before)
    if found == "OPERATOR":
        return "write `=`" if "EQUAL" in expected else _JOIN if "AND" in expected else ""
    if found == "DOT" and "FLOAT" in expected:
        return "a number begins with a digit: `0.5`"
    if found == "LPAR" and {"LBRACE", "NAME"} & expected:
        return "take the parentheses away"
    if found == "COMMA" and before == "RBRACE":
        return "a block belongs to its whole line: write what follows on a line of its own"
    if found == "LSQB" and before == "PROPOSE":
        return "write them without brackets: `propose MODEL, MODEL`"
    if found == "LBRACE" and before in ("PIPELINE", "LAYER"):
        return f"give it a name: `{before.lower()} NAME {{ … }}`"
    if found == "LBRACE" and expected == {"EQUAL"}:
        return "say what it is: `NAME = … { … }`"
    if found == "LBRACE" and expected == {"FOR"}:
        return 'say which pipeline it tests: `test "…" for PIPELINE { … }`'
    if found == "NAME":
        return _about_name(word, expected, before)
    if found == "STAR":
        return "there is no arithmetic"
    if found in _BEGIN_LINES and before == "COMMA":
        return f"take the comma before it away, and write `{word}` on a line of its own"
    if found in _BEGIN_LINES and {"_NL", "$END"} & expected:
        return f"write `{word}` on a line of its own"
    return f"`{word}` stands {_HOMES[word]}" if word in _HOMES else ""


def _about_equals(expected: frozenset[str], before: str) -> str:
    if before in _DECLARATIONS:
        return f"give it a name: `{before.lower()} NAME = …`"
    if "OPERATOR" in expected:
        return "two values are compared by `==`"
    if {"LBRACE", "NAME"} & expected:
        return "take it away: only settings and declarations have a `=`"
    return "statements begin with a keyword and have no `=`; only settings and declarations have one"


def _about_text(word: str, expected: frozenset[str], before: str) -> str:
    if "EQUAL" in expected:
        return "write `=` before it"
    if before == "AS":
        return 'declare it, `role NAME = "…"`, and write its name here'
    if "INT" in expected or before in _DECLARATIONS:
        return "write it without quotes"
    if "NAME" in expected and re.fullmatch(r'"[\w.-]+/[\w./:-]+"', word):
        return f"declare it, `model NAME = {word}`, and write its name here"
    return "write a declared name here, without quotes" if "NAME" in expected else ""


def _about_number(word: str, expected: frozenset[str], before: str) -> str:
    if word.startswith("-") and "EQUAL" in expected:
        return "names are joined by `_`"
    if "EQUAL" in expected:
        return "write `=` before it"
    if "DURATION" in expected:
        return f"add a unit: `{word}s`"
    if expected == {"NAME"}:
        names_itself = word.isdigit() and before in ("LAYER", *_DECLARATIONS)
        return "a name begins with a letter" + f", such as `{before.lower()}_{word}`" * names_itself
    if expected == {"LSQB"}:
        return f"put it in brackets: `[{word}, …]`"
    return "write it in double quotes" if "STRING" in expected else ""


def _about_name(word: str, expected: frozenset[str], before: str) -> str:
    accepted = [e.lower() for e in expected if e.lower() in KEYWORDS]
    guess = next((meant for meant in (_SYNONYMS.get(word),) if meant in accepted), None) or closest(word, accepted)
    if word == "if" and "WHEN" in expected:
        guess = "when"
    if guess:
        return f"did you mean `{guess}`?"
    if expected >= _DECLARATIONS:
        return "a declaration begins with a keyword: `model NAME = …`"
    if "COMMA" in expected and "BY" not in expected and "RBRACE" in expected and before not in ("NAME", "RPAR"):
        return "settings are separated by commas or line ends"
    if "OPERATOR" in expected:
        return "values are compared by `==`, `!=`, `<`, `<=`, `>`, `>=`, `contains` or `matches`"
    if {"LBRACE", "_NL"} <= expected and before in ("STRING", "TEXT", "NAME", "RPAR"):
        return "settings stand in braces: `{ NAME = … }`"
    return "texts stand in double quotes" if "STRING" in expected and "NAME" not in expected else ""


def keyword_as_name(span: Span) -> Diagnostic:
    word = span.text
    return _error("MOA010", span, f"`{word}` is a word of the language and can not be a name", f"call it `{word}_1`")


def unexpected_end(span: Span, expected: frozenset[str]) -> Diagnostic:
    due = _expected(expected)
    help = "write `{` at the end of this line" if due == "`{`" else ""
    return _error("MOA011", span, "the line ends too early" + (f": expected {due}" if due else ""), help)


def never_opened(span: Span) -> Diagnostic:
    return _error("MOA012", span, f"this `{span.text}` closes nothing", "take it away, or open what it should close")


def never_closed(span: Span) -> Diagnostic:
    closing = {"(": ")", "[": "]"}.get(span.text, "}")
    return _error("MOA013", span, f"this `{span.text}` is never closed", f"close it with `{closing}`")


def wrong_bracket(span: Span, opener: Span, due: str) -> Diagnostic:
    return _error(
        "MOA014", span, f"`{span.text}` closes `{opener.text}`", f"write `{due}`", Related("opened here", opener)
    )
