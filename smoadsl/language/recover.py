"""Recover, to find every statement of an item that can not be read, in one pass, and leave the others standing.

It walks the parser's own table without building a tree. Where a word does not fit, the innermost statement or setting
that holds it is left out, and reading goes on after it as if it had not been there.
"""

from collections.abc import Sequence
from dataclasses import field
from functools import cache
from typing import Any

from lark import Token
from lark.parsers.lalr_analysis import Shift

from smoadsl.classes import dataclass
from smoadsl.language.brackets import CLOSING, HOMES, OPENING
from smoadsl.language.tokens import parser

DECLARATIONS = frozenset("IMPORT PARAM PROVIDER MODEL ROLE ROLES TEMPLATE PIPELINE TEST".split())
_END = "$END"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A word that does not fit (`at` is its place among the tokens, their number at the end), what would, and the range
    of tokens that is left out for it, if any."""

    at: int
    accepted: frozenset[str]
    left_out: tuple[int, int]
    is_name: bool = False  # a keyword that stands where a name is due, and is read as one


@dataclass(slots=True)
class Recovered:
    """The tokens that make sense together; None where the item itself can not be read."""

    tokens: list[Token] | None
    mistakes: list[Mistake]


@cache
def _table() -> tuple[dict[int, dict[str, tuple[Any, Any]]], dict[str, int], dict[str, int], frozenset[str]]:
    whole: Any = parser()
    table = whole.parser.parser._parse_table
    terminals = frozenset(terminal.name for terminal in whole.terminals) | {_END}
    return table.states, table.start_states, table.end_states, terminals


@dataclass(slots=True)
class _Block:
    """An open brace: where its current statement begins, and what was read before that and its separator."""

    begin: int
    states: list[int]
    kept: int
    states_before: list[int]
    kept_before: int
    inside: int = 0  # ( and [ that the current statement has open
    settings: bool = False


@dataclass(slots=True)
class _Walk:
    tokens: Sequence[Token]
    end: int
    states: list[int]
    kept: list[Token] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    accepting: dict[tuple[int, ...], frozenset[str]] = field(default_factory=dict)  # by the states that accept them

    def step(self, states: list[int], kind: str) -> bool:
        """Read one word of that kind, if it fits."""
        table = _table()[0]
        while True:
            action = table[states[-1]].get(kind)
            if action is None:
                return False
            if action[0] is Shift:
                states.append(action[1])
                return True
            size = len(action[1].expansion)
            if size:
                del states[-size:]
            states.append(table[states[-1]][action[1].origin.name][1])
            if kind == _END and states[-1] == self.end:
                return True

    def fits(self, *kinds: str) -> bool:
        states = list(self.states)
        return all(self.step(states, kind) for kind in kinds)

    def accepted(self) -> frozenset[str]:
        known = self.accepting.get(tuple(self.states))
        if known is None:
            kinds = _table()[0][self.states[-1]].keys() & _table()[3]
            known = self.accepting[tuple(self.states)] = frozenset(kind for kind in kinds if self.fits(kind))
        return known

    def run(self) -> bool:
        """Whether what is kept makes an item."""
        index = 0
        while index < len(self.tokens):
            token, before = self.tokens[index], self.states
            states = list(before)
            if self.step(states, token.type):
                self.states = states
                self.kept.append(token)
                self._follow(token, index, before)
                index += 1
            elif (mended := self._mend(index)) is not None:
                index = mended
            elif self.blocks:
                index = self._leave_out(index)
            else:
                return self._end_before(index)
        return self.fits(_END) or self._end_before(len(self.tokens))

    def _end_before(self, index: int) -> bool:
        """The item ends before a word that does not fit, if it can."""
        whole = self.fits(_END)
        if whole and self.tokens[index].type == "_NL":  # a line after the item that begins no other
            self.mistakes.append(Mistake(index + 1, DECLARATIONS, (index, len(self.tokens))))
        else:
            self.mistakes.append(Mistake(index, self.accepted(), (index if whole else 0, len(self.tokens))))
        return whole

    def _follow(self, token: Token, index: int, before: list[int]) -> None:
        """Keep track of brackets and of where statements begin."""
        if token.type == "LBRACE":
            self.blocks.append(_Block(index + 1, self.states, len(self.kept), self.states, len(self.kept)))
            self.blocks[-1].settings = self.fits("BY")  # only the key of a setting may be any word
        elif not self.blocks:
            return
        elif token.type == "RBRACE":
            self.blocks.pop()
        elif token.type in OPENING:
            self.blocks[-1].inside += 1
        elif token.type in CLOSING:
            self.blocks[-1].inside -= 1
        elif self.blocks[-1].inside == 0 and self._ends(token, self.blocks[-1]):
            block = self.blocks[-1]
            block.begin, block.states, block.kept = index + 1, self.states, len(self.kept)
            block.states_before, block.kept_before = before, len(self.kept) - 1

    def _mend(self, index: int) -> int | None:
        """Read on where it is plain what was meant: a keyword as a name, a statement that goes on in the next line, two
        that stand on one line."""
        token = self.tokens[index]
        following = self.tokens[index + 1].type if index + 1 < len(self.tokens) else _END
        if token.type == "_NL" and self.fits(following) and not self.fits(_END):
            self.mistakes.append(Mistake(index, self.accepted(), (index, index + 1)))
            return index + 1
        if self.blocks and self.blocks[-1].inside == 0 and self._begins(token, following):
            self.mistakes.append(Mistake(index, self.accepted(), (index, index)))
            before, self.states = self.states, list(self.states)
            self.step(self.states, "_NL")
            self.kept.append(Token.new_borrow_pos("_NL", "\n", token))
            self._follow(self.kept[-1], index - 1, before)
            return index
        same_line = index > 0 and self.tokens[index - 1].line == token.line
        if same_line and following != "LPAR" and token.isidentifier() and self.fits("NAME", following):
            self.mistakes.append(Mistake(index, frozenset(("NAME",)), (index, index), is_name=True))
            self.step(self.states, "NAME")
            self.kept.append(token.update(type="NAME"))
            return index + 1
        return None

    def _begins(self, token: Token, following: str) -> bool:
        """Whether a word would begin another statement or setting, if it stood on a line of its own."""
        is_key = self.blocks[-1].settings and following == "EQUAL"
        return (token.type in HOMES or is_key) and self.fits("_NL", token.type)

    def _leave_out(self, index: int) -> int:
        """Go back to before the current statement, and on to what follows it."""
        block = self.blocks[-1]
        end, depth = index, block.inside
        while depth or not (self.tokens[end].type == "RBRACE" or self._ends(self.tokens[end], block)):
            depth += (self.tokens[end].type in OPENING) - (self.tokens[end].type in CLOSING)
            end += 1
        self.mistakes.append(Mistake(index, self.accepted(), (block.begin, end)))
        self.states, block.inside = block.states, 0
        del self.kept[block.kept :]
        if self.tokens[end].type != "RBRACE":
            block.begin = end + 1
            return end + 1
        if not self.fits("RBRACE"):
            self.states = block.states_before
            del self.kept[block.kept_before :]
        return end

    def _ends(self, token: Token, block: _Block) -> bool:
        return token.type == "_NL" or (token.type == "COMMA" and block.settings)


def recover(tokens: Sequence[Token], start: str = "item") -> Recovered:
    """The mistakes among tokens whose brackets are balanced, and the tokens without what they spoil."""
    _, starts, ends, _ = _table()
    walk = _Walk(tokens, ends[start], [starts[start]])
    return Recovered(walk.kept if walk.run() else None, walk.mistakes)
