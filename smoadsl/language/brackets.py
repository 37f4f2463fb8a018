"""Brackets, to tell those of an item that do not fit together, and make them fit, so that the rest can be read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field

from lark import Token

from smoadsl.classes import dataclass
from smoadsl.diagnostics.diagnostic import Diagnostic
from smoadsl.diagnostics.source import Span
from smoadsl.language import syntax_problems as problems

MOST_NESTING = 64
MOST_WEIGHED = 100  # of more problems, the first reading is as good as another
OPENING = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSING = {"RPAR": ")", "RSQB": "]", "RBRACE": "}"}
HOMES = {
    **dict.fromkeys(("ANSWER", "BUDGET", "LAYER", "AGGREGATE"), "PIPELINE"),
    **dict.fromkeys(("PROPOSE", "ACTIVATE", "QUORUM", "JUDGE", "STOP"), "LAYER"),
    **dict.fromkeys(("PROMPT", "INPUT", "REPLY", "EXPECT"), "TEST"),
}


class TooDeep(Exception):
    """The nesting at a token is deeper than may be."""

    def __init__(self, token: Token) -> None:
        self.token = token


def not_too_deep(tokens: Iterable[Token]) -> Iterator[Token]:
    """The tokens, counting brackets and each `not` before what it negates. Raises `TooDeep`."""
    open_: list[int] = []  # for each open bracket, what it and the `not`s before it count
    depth = negations = 0
    for token in tokens:
        if token.type in OPENING:
            open_.append(1 + negations)
            depth += 1 + negations
        elif token.type in CLOSING and open_:
            depth -= open_.pop()
        negations = negations + 1 if token.type == "NOT" else 0
        if depth + negations > MOST_NESTING:
            raise TooDeep(token)
        yield token


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the bracket `at`; `other` is the one that it stands against."""

    kind: str
    at: Token
    other: Token | None = None


@dataclass(slots=True)
class _Pass:
    """One reading of the brackets. A bracket that closes another's kind is mistaken for the right one, or the right one
    is missing before it (`missing`); a statement that its block can not hold ends the block, and one whose block is
    closed already goes on with it, or they do not (`homes`)."""

    missing: bool
    homes: bool
    kept: list[Token] = field(default_factory=list)
    found: list[Problem] = field(default_factory=list)
    stack: list[tuple[Token, str]] = field(default_factory=list)  # what is open, and the statement that opened it
    closed: tuple[Token, str] | None = None  # the one that was closed last
    statement: str = ""

    def read(self, tokens: Sequence[Token]) -> None:
        for index, token in enumerate(tokens):
            if not self.kept or self.kept[-1].type in ("_NL", "LBRACE"):
                self.statement = token.type
                if self.homes and self.kept and self.kept[-1].type == "_NL":
                    self._go_home(token, tokens[index + 1 : index + 2])
            if token.type in OPENING:
                self.stack.append((token, self.statement))
                if len(self.stack) > MOST_NESTING:
                    raise TooDeep(token)
            elif token.type in CLOSING and not self._closes(token):
                continue
            if token.type not in CLOSING:
                self.kept.append(token)
        if self.stack:
            self.found.append(Problem("never closed", self.stack[-1][0]))
            while self.kept[-1].type in ("_NL", "COMMA"):
                self.kept.pop()
            while self.stack:
                self._close(tokens[-1])

    def _closes(self, token: Token) -> bool:
        openers = [OPENING[opener.type] for opener, _ in self.stack[-1:]]
        if openers != [token.type]:
            if not any(OPENING[opener.type] == token.type for opener, _ in self.stack):
                self.found.append(Problem("never opened", token))
                return False
            if self.missing:
                while OPENING[self.stack[-1][0].type] != token.type:
                    self.found.append(Problem("never closed", self.stack[-1][0]))
                    self._close(token)
            else:
                self.found.append(Problem("wrong", token, self.stack[-1][0]))
        self._close(token)
        return True

    def _close(self, at: Token) -> None:
        self.closed = self.stack.pop()
        opener, _ = self.closed
        kind = OPENING[opener.type]
        self.kept.append(at if at.type == kind else Token.new_borrow_pos(kind, CLOSING[kind], at))

    def _go_home(self, token: Token, following: Sequence[Token]) -> None:
        """A statement that begins a line: blocks that can not hold it end before it, one that could is opened again."""
        is_setting = bool(following) and following[0].type == "EQUAL"
        home = None if is_setting else HOMES.get(token.type)
        holders = [opened_by for opener, opened_by in self.stack if opener.type == "LBRACE"]
        if home in holders[-1:] or (home is None and (holders or not is_setting)):
            return
        end_of_line = self.kept.pop()
        if home in holders:
            while self.stack[-1][1] != home or self.stack[-1][0].type != "LBRACE":
                self.found.append(Problem("never closed", self.stack[-1][0]))
                self._close(end_of_line)
        elif self.closed is not None and home in (None, self.closed[1]) and self.kept[-1].type == "RBRACE":
            self.found.append(Problem("never opened", self.kept.pop()))
            self.stack.append(self.closed)
        self.kept.append(end_of_line)


def balanced(
    tokens: Sequence[Token], span: Callable[[Token], Span], silent: Callable[[Token], bool], said: list[Diagnostic]
) -> tuple[list[Token], set[int]]:
    """The tokens with each bracket closed by its own, and the lines of those that had to be added, changed or left out,
    read in the way that leaves fewest mistakes. Of brackets that are `silent`, nothing is said. Raises `TooDeep`."""
    best = _Pass(missing=False, homes=False)
    best.read(tokens)
    weigh = best.found and len(best.found) + len(said) <= MOST_WEIGHED
    for missing, homes in ((True, False), (False, True), (True, True)) if weigh else ():
        other = _Pass(missing, homes)
        other.read(tokens)
        best = other if len(other.found) < len(best.found) or (homes and _same(best, other)) else best
    for problem in best.found:
        if not silent(problem.at) and not (problem.other is not None and silent(problem.other)):
            said.append(_told(problem, span))
    kept = list(not_too_deep(best.kept)) if best.found else best.kept
    return kept, {problem.at.line or 0 for problem in best.found}


def _same(one: _Pass, other: _Pass) -> bool:
    """Whether both readings find one bracket of the same kind: then the one that knows what blocks hold is better."""
    return [p.kind for p in one.found] == [p.kind for p in other.found] and len(one.found) == 1


def _told(problem: Problem, span: Callable[[Token], Span]) -> Diagnostic:
    at = span(problem.at)
    if problem.kind == "never opened":
        return problems.never_opened(at)
    if problem.other is None:
        return problems.never_closed(at)
    return problems.wrong_bracket(at, span(problem.other), CLOSING[OPENING[problem.other.type]])
