"""Mends, to write out what a statement was meant to be, where the words around one that can not stand there tell."""

from collections.abc import Sequence

from lark import Token

from smoadsl.diagnostics.suggest import closest
from smoadsl.language.syntax_problems import short_unit

_ROUNDS = ("rounds", "round", "times", "loop", "iterations", "repeats", "repeat")
_TOGETHER = ("with", "by", "using", "from")
_BEST = ("top", "best", "first", "select", "retain")
_SPENT = ("cost", "limit", "max_cost", "max_usd", "max_price", "max_spend")
_LIMITS = {"MONEY": "usd", "DURATION": "time"}
_OF_A_MODEL = ("temperature", "timeout", "max_tokens", "retries", "top_p", "seed", "fallback")
_DECLARED = {"MODEL": '"provider/id"', "PROVIDER": "openai"}
_MOST_WORDS = 500  # that are looked at on either side
_MOST_WRITTEN = 20  # words of a line that is written out
_ENDS = ("_NL", "LBRACE", "RBRACE")
_NUMBERS = ("INT", "FLOAT")
_AFTER_TARGETS = ("AS", "SEES", *_ENDS)


def mend(tokens: Sequence[Token], at: int) -> str:
    """How to mend the statement in which the word `at` can not stand; empty where nothing is plain."""
    line, place = _statement(tokens, at)
    kinds = [token.type for token in line]
    if tokens[at : at + 1] and tokens[at].type == "LBRACE" and kinds[1:] == ["NAME"] and kinds[0] in _DECLARED:
        return f"say what it is: `{line[0]} {line[1]} = {_DECLARED[kinds[0]]} {{ … }}`"
    if not 0 <= place < len(line):
        return ""
    if exactly := _number(line, place) or _bare_model(line, place):
        return exactly
    if place == 0:
        return _statement_of_none(line, tokens, at)
    match kinds[0]:
        case "REPLY" | "EXPECT" | "PROPOSE" if kinds[place] == "DOT" and "LSQB" in kinds[:place]:
            return f'write `"{line[place - 1]}.{line[place + 1]}"`' if place + 1 < len(line) else ""
        case "PROPOSE" if kinds[place] == "LPAR" and "EQUAL" in kinds[place:]:
            return "settings stand in braces at the end of the line: `propose MODEL { NAME = … }`"
        case "PROPOSE":
            return _targets(line, place)
        case "AGGREGATE" | "JUDGE" if kinds[place] == "COMMA" or (kinds[place] == "LSQB" and place == 1):
            return _one_of(line)
        case "AGGREGATE" | "JUDGE":
            return _who(line)
        case "STOP":
            return _moderator(line)
        case "LAYER":
            return _header(line, place)
        case "BUDGET" if kinds[1:] in (["MONEY"], ["DURATION"]):
            return _budget(line)
        case _:
            return ""


def _statement_of_none(line: Sequence[Token], tokens: Sequence[Token], at: int) -> str:
    """A line that begins as no statement does."""
    word, kinds = str(line[0]), [token.type for token in line]
    if word in _ROUNDS and kinds[1:] in (["INT"], ["EQUAL", "INT"]):
        layer = _layer(tokens, at)
        header = f"`layer {layer or 'NAME'} repeat {line[-1]} {{`"
        return f"write `repeat {line[-1]}` in the layer's first line, {header}, and take it away here"
    if word in _SPENT and kinds[1:] in (["MONEY"], ["EQUAL", "MONEY"]):
        return _budget(line)
    if word in _OF_A_MODEL and len(line) > 1 and _layer(tokens, at):
        setting = f"{word} = {' '.join(line[2 if kinds[1] == 'EQUAL' else 1 :])}"
        return f"it is a setting of a model: `propose MODEL {{ {setting} }}`"
    if word in ("if", "while") and len(line) > 1:
        return "what depends on something is a layer of its own: `layer NAME when CONDITION { … }`"
    if word == "until" and len(line) > 1 and _layer(tokens, at):
        return f"write `stop when {_written(line[1:])}`"
    return _moderator(line)


def _statement(tokens: Sequence[Token], at: int) -> tuple[Sequence[Token], int]:
    """The words of the statement up to its block or its end, and the place of the word among them."""
    first, last = max(0, at - _MOST_WORDS), min(len(tokens), at + _MOST_WORDS)
    begin = next((i + 1 for i in range(at - 1, first - 1, -1) if tokens[i].type in _ENDS), first)
    end = next((i for i in range(at, last) if tokens[i].type in _ENDS), last)
    return tokens[begin:end], at - begin


def _number(line: Sequence[Token], place: int) -> str:
    """A number that is cut by commas, or stands apart from its unit."""
    kinds = [token.type for token in line]
    begin, end = (place, place + 1) if kinds[place] in _NUMBERS else (place - 1, place)
    counts_agents = kinds[0] == "PROPOSE"  # `2 m` is a model there
    if end < len(line) and begin >= 0 and kinds[end] == "NAME" and kinds[begin] in _NUMBERS and not counts_agents:
        unit = short_unit(str(line[end]))
        return f"write `{line[begin]}{unit}`" if unit else ""
    begin = place
    while begin > 0 and _cut(line[begin - 1], line[begin]):
        begin -= 1
    end = place
    while end + 1 < len(line) and _cut(line[end], line[end + 1]):
        end += 1
    parts = [str(token) for token in line[begin : end + 1] if token.type == "INT"]
    thousands = len(parts) > 1 and 1 <= len(parts[0]) <= 3 and all(len(part) == 3 for part in parts[1:])
    return f"write `{'_'.join(parts)}`" if thousands else ""


def _cut(one: Token, other: Token) -> bool:
    """Whether two words are a number and a comma without a space between them."""
    return {one.type, other.type} == {"INT", "COMMA"} and one.end_pos == other.start_pos


def _bare_model(line: Sequence[Token], place: int) -> str:
    """`model(a)`, where the model's name alone is due."""
    if [token.type for token in line[place : place + 4]] != ["MODEL", "LPAR", "NAME", "RPAR"]:
        return ""
    words: list[str] = []
    rest = list(line)
    while rest:
        called = [token.type for token in rest[:4]] == ["MODEL", "LPAR", "NAME", "RPAR"]
        words.append(str(rest[2 if called else 0]))
        del rest[: 4 if called else 1]
    if len(words) > _MOST_WRITTEN:
        return f"write its name alone: `{line[place + 2]}`"
    return f"write `{' '.join(words).replace(' ,', ',')}`"


def _targets(line: Sequence[Token], place: int) -> str:
    """Agents without a comma between them, or with the count before what it counts."""
    end = next((i for i, token in enumerate(line) if token.type in _AFTER_TARGETS), len(line))
    targets, rest = line[1:end], line[end:]
    if place >= end or not targets or any(token.type not in ("NAME", "INT", "STAR", "COMMA") for token in targets):
        return ""
    followed = [token.type for token in line[place + 1 : place + 2]] == ["NAME"]
    if followed and closest(str(line[place]), ["as", "sees"]):
        return ""  # `propose qwen see none`
    agents: list[list[str]] = [[]]
    for token in targets:
        word = "*" if token in ("x", "X", "times") else str(token)
        before = agents[-1]
        if token.type == "COMMA" or (_is_name(word) and any(map(_is_name, before))):
            agents.append([])
        if token.type != "COMMA":
            agents[-1].append(word)
    written = [_counted(agent) for agent in agents if agent]
    if not all(written):
        return ""
    counted = any(agent[:1] and agent[0].isdigit() for agent in agents) or line[place].type == "INT"
    why = "the count stands behind" if counted or "x" in line[1:end] else "agents are separated by commas"
    return f"{why}: `propose {', '.join(written)}{''.join(f' {token}' for token in rest)}`"


def _is_name(word: str) -> bool:
    return word.isidentifier()


def _counted(agent: Sequence[str]) -> str:
    """One target as it is written, from its name and its count in whatever order; empty where it is neither."""
    names = [word for word in agent if _is_name(word)]
    counts = [word for word in agent if word.isdigit()]
    if len(names) != 1 or len(counts) > 1 or len(agent) > 3:
        return ""
    return f"{names[0]} * {counts[0]}" if counts else names[0] if len(agent) == 1 else ""


def _one_of(line: Sequence[Token]) -> str:
    """Several where there can be only one."""
    names = [str(token) for token in line[1:] if token.type == "NAME"]
    verb = "aggregates" if line[0].type == "AGGREGATE" else "judges"
    keep = next((i for i, token in enumerate(line) if token.type == "KEEP"), len(line))
    rest = "".join(f" {token}" for token in line[keep:])
    return f"only one model {verb}: `{line[0]} {names[0]}{rest}`" if names else ""


def _header(line: Sequence[Token], place: int) -> str:
    """How often a layer runs, in another word or behind its condition."""
    count = [str(token) for token in line[place + 1 : place + 2] if token.type == "INT"]
    if str(line[place]) not in (*_ROUNDS, "x", "*") or not count or place < 2:
        return ""
    header = f"layer {line[1]} repeat {count[0]}"
    return f"write `{header}`" if place == 2 else f"`repeat` stands before `when`: `{header} when …`"


def _who(line: Sequence[Token]) -> str:
    """A model behind a word too many, or the number that is kept behind another word."""
    words = [token for token in line if token not in _TOGETHER and token.type != "EQUAL"]
    kinds = [token.type for token in words]
    if kinds in (["AGGREGATE", "NAME"], ["JUDGE", "NAME", "KEEP", "INT"]):
        return f"write `{' '.join(words)}`"
    best = kinds in (["JUDGE", "NAME", "NAME", "INT"], ["JUDGE", "NAME", "KEEP", "NAME", "INT"]) and words[-2] in _BEST
    return f"write `judge {words[1]} keep {words[-1]}`" if best else ""


def _budget(line: Sequence[Token]) -> str:
    limit = next((_LIMITS[token.type] for token in line if token.type in _LIMITS), "usd")
    return f"limits stand in braces: `budget {{ {limit} = {line[-1]} }}`"


def _written(words: Sequence[Token]) -> str:
    """Words as they stand in a line of their own."""
    text = ""
    for word, before in zip(words, [None, *words[:-1]], strict=True):
        apart = before is not None and word.end_pos and before.end_pos and (word.start_pos or 0) > before.end_pos
        text += f" {word}" if apart else str(word)
    return text


def _moderator(line: Sequence[Token]) -> str:
    """A moderator that stands by itself, or without its parentheses: it is the condition of a stop rule."""
    words = [str(token) for token in line if token.type not in ("STOP", "WHEN", "LPAR", "RPAR", "EQUAL", "PIPELINE")]
    if len(words) != 2 or words[0] != "moderator" or not words[1].isidentifier():
        return ""
    pipeline = " pipeline" if any(token.type == "PIPELINE" for token in line) else ""
    return f"write `stop{pipeline} when moderator({words[1]})`"


def _layer(tokens: Sequence[Token], at: int) -> str:
    """The layer in which a word stands; empty where it stands in none."""
    depth = 0
    for i in range(at - 1, max(0, at - _MOST_WORDS), -1):
        depth += (tokens[i].type == "RBRACE") - (tokens[i].type == "LBRACE")
        if depth < 0 and tokens[i].type == "LBRACE":
            line, _ = _statement(tokens, i - 1)
            return str(line[1]) if len(line) > 1 and line[0].type == "LAYER" else ""
    return ""
