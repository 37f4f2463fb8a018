"""Parse, to turn a text into nodes and every independent mistake of its form into a diagnostic. It can not fail.

Each item is parsed alone, so a broken one does not hide the next. Inside an item, a statement that can not be read is
reported, left out, and the rest read without it. Of a line that has been told once, nothing more is said.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from lark import Token
from lark.exceptions import UnexpectedToken

from smoadsl.diagnostics.diagnostic import Diagnostic, Outcome
from smoadsl.diagnostics.source import Source, Span
from smoadsl.language import nodes, problems, syntax_problems
from smoadsl.language.brackets import CLOSING, HOMES, MOST_NESTING, OPENING, TooDeep, balanced, not_too_deep
from smoadsl.language.build import build_item, build_value
from smoadsl.language.foreign import other_language
from smoadsl.language.mends import mend
from smoadsl.language.misread import Misread
from smoadsl.language.recover import DECLARATIONS, Mistake, recover
from smoadsl.language.tokens import LineEnds, parser, words

MOST_CHARACTERS = 1_000_000
_UNREAD = nodes.File((), frozenset(("",)))  # the empty name stands for declarations whose names can not be read


def parse(source: Source) -> Outcome[nodes.File]:
    """The file's nodes, as far as they can be read, and what could not."""
    unreadable = _unreadable(source)
    if unreadable is not None:
        return Outcome(_UNREAD, (unreadable,))
    try:
        read = _Reading(source).file()
    except TooDeep as deep:
        read = Outcome(_UNREAD, (problems.too_deep(_span(source, deep.token), MOST_NESTING),))
    other = None if read.ok or (read.value and read.value.items) else other_language(source)
    return Outcome(_UNREAD, (syntax_problems.other_language(other[1], other[0]),)) if other else read


def parse_value(source: Source) -> Outcome[nodes.Value]:
    """One value standing alone, as `--set NAME=VALUE` takes it."""
    unreadable = _unreadable(source)
    if unreadable is not None:
        return Outcome(None, (unreadable,))
    try:
        return _Reading(source).value()
    except TooDeep as deep:
        return Outcome(None, (problems.too_deep(_span(source, deep.token), MOST_NESTING),))


def _unreadable(source: Source) -> Diagnostic | None:
    """What keeps a text from being looked at at all."""
    if len(source.text) > MOST_CHARACTERS:
        return problems.too_large(Span(source, 0, 1), len(source.text), MOST_CHARACTERS)
    at = source.text.find("\x00")
    return problems.nul_character(Span(source, at, at + 1)) if at >= 0 else None


class _Reading:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.said: list[Diagnostic] = []
        self.misread = Misread(source, self.said)
        self.unread_names: set[str] = set()
        self.left_out: list[nodes.Unread] = []

    def tokens(self) -> Iterator[Token]:
        return not_too_deep(LineEnds().process(self.misread.readable(words(self.misread.text))))

    def file(self) -> Outcome[nodes.File]:
        """Item by item: of a long file, no more than one is in memory as tokens."""
        groups = _items(self._with_braces(self.tokens()))
        items = [item for group in groups if (item := self._item(group)) is not None]
        if self.misread.open_to_the_end:
            self.unread_names.add("")
        self.left_out += [nodes.Unread(span, "") for span in self.misread.open_texts]
        unread = tuple(sorted(self.left_out, key=lambda one: one.span.start))
        return Outcome(nodes.File(tuple(items), frozenset(self.unread_names), unread), tuple(self.said))

    def value(self) -> Outcome[nodes.Value]:
        tokens, _ = balanced(list(self.tokens()), lambda token: _span(self.source, token), self._silent, self.said)
        if not Outcome(tokens, tuple(self.said)).ok:
            return Outcome(None, tuple(self.said))
        try:
            return Outcome(build_value(self.source, _feed(tokens, "value"), self.said), tuple(self.said))
        except UnexpectedToken:
            return Outcome(
                None, tuple(self._told(mistake, tokens) for mistake in recover(tokens, "value").mistakes[:1])
            )

    def _with_braces(self, tokens: Iterable[Token]) -> Iterator[Token]:
        """The tokens, with each brace that is missing at the end of a line, or stands on the next, put where it should
        be: after `layer NAME` and the like, if what follows can only stand inside."""
        header = brace = ""
        before: Token | None = None
        for token, *after in _with_following(tokens):
            if before is None or before.type in ("_NL", "LBRACE"):
                header, brace = token.type, ""
                if after and after[0].type == "EQUAL":
                    header = ""  # a setting whose key is a keyword
            if token.type == "LBRACE":
                brace = token.type
            end, before = (before.end_pos or 0) if before else 0, token
            following = [one.type for one in after]
            if token.type != "_NL" or brace or not _goes_inside(header, following):
                yield token
                continue
            self.said.append(syntax_problems.unexpected_end(Span(self.source, end - 1, end), frozenset(("LBRACE",))))
            self.misread.lines.add(token.line or 0)
            if following[0] != "LBRACE":
                yield Token.new_borrow_pos("LBRACE", "{", token)

    def _item(self, tokens: list[Token]) -> nodes.Item | None:
        names = _names(tokens)
        tokens, mended = balanced(tokens, lambda token: _span(self.source, token), self._silent, self.said)
        self.misread.lines |= mended
        if not tokens:
            return None
        left_out_before = len(self.left_out)
        try:
            tree = _feed(tokens, "item")
        except UnexpectedToken:
            recovered = recover(tokens)
            kept = None if self._is_torn(recovered.mistakes, tokens) else recovered.tokens
            for mistake in recovered.mistakes:
                self._report(mistake, tokens)
            tree = _feed(kept, "item") if kept is not None else None
        if mended:
            del self.left_out[left_out_before:]
            self._leave_out(tokens, "")  # anything may have been meant to stand anywhere
        said_before = len(self.said)
        item = build_item(self.source, tree, self.said) if tree is not None else None
        is_open = item is not None and any(item.span.start < text.start for text in self.misread.open_texts[-1:])
        if isinstance(item, nodes.Import) and (is_open or len(self.said) > said_before):
            self.unread_names.add("")
            return None
        if item is None:
            self.unread_names |= names
        return item

    def _is_torn(self, mistakes: Sequence[Mistake], tokens: Sequence[Token]) -> bool:
        """Whether an unreadable word, told already, cuts an item in two: what stands before it means something else."""
        return any(
            mistake.left_out[1] == len(tokens) > mistake.at and tokens[mistake.at].line in self.misread.lines
            for mistake in mistakes
        )

    def _leave_out(self, tokens: Sequence[Token], word: str) -> None:
        span = Span(self.source, tokens[0].start_pos or 0, tokens[-1].end_pos or 0)
        self.left_out.append(nodes.Unread(span, word))

    def _report(self, mistake: Mistake, tokens: Sequence[Token]) -> None:
        left_out = tokens[slice(*mistake.left_out)]
        words = [token for token in left_out if token.type != "_NL"]
        if words:
            self._leave_out(words, str(words[0]))
        for index, token in enumerate(left_out[:-1]):
            after = left_out[index + 1]
            if after.type == "NAME" and token.type in DECLARATIONS:
                self.unread_names.add(str(after))
            elif token.type == "NAME" and after.type == "EQUAL":  # perhaps a declaration without its keyword
                self.unread_names.add(str(token))
        until_here = tokens[min(mistake.left_out[0], mistake.at) : mistake.at + 1]
        lines = {token.line or 0 for token in until_here}
        if not lines & self.misread.lines:
            self.said.append(self._told(mistake, tokens))
        self.misread.lines |= {token.line or 0 for token in tokens[mistake.at : mistake.at + 1]}

    def _told(self, mistake: Mistake, tokens: Sequence[Token]) -> Diagnostic:
        before = tokens[mistake.at - 1] if 0 < mistake.at <= len(tokens) else None
        found = tokens[mistake.at] if mistake.at < len(tokens) else None
        if mistake.is_name and found is not None:
            return syntax_problems.keyword_as_name(_span(self.source, found))
        below = found is not None and before is not None and found.type == "RBRACE" and before.line != found.line
        if found is None or found.type == "_NL" or below:
            end = (before.end_pos or 0) if before is not None else 0
            return syntax_problems.unexpected_end(Span(self.source, max(0, end - 1), end), mistake.accepted)
        kind_before = before.type if before is not None else ""
        exactly = mend(tokens, mistake.at)
        return syntax_problems.unexpected(_span(self.source, found), found.type, mistake.accepted, kind_before, exactly)

    def _silent(self, token: Token) -> bool:
        """Whether the brackets at a token need no word, because its line, or all that follows it, has been told."""
        return token.line in self.misread.lines or (token.type in OPENING and self.misread.open_to_the_end)


def _names(tokens: Sequence[Token]) -> set[str]:
    """The names that an item may have been meant to declare; the empty one where it declares something, but none can be
    seen."""
    head = takewhile(lambda token: token.type not in ("EQUAL", "LBRACE"), tokens)
    seen = {str(token) for token in head if token.type == "NAME"}
    return seen or ({""} if tokens[0].type in DECLARATIONS - {"TEST"} else set())


def _goes_inside(header: str, following: Sequence[str]) -> bool:
    """Whether a line that begins so goes in the braces that the line before should have opened."""
    if header in ("PIPELINE", "LAYER", "TEST"):
        return following[:1] == ["LBRACE"] or (following[0] in HOMES and HOMES[following[0]] == header)
    if header in ("PROVIDER", "MODEL", "ROLES"):
        return following[:1] == ["LBRACE"] or following in (["NAME", "EQUAL"], ["STRING", "EQUAL"])
    return False


def _with_following(tokens: Iterable[Token]) -> Iterator[tuple[Token, ...]]:
    """Each token with the two that follow it, as far as there are some."""
    window: deque[Token] = deque()
    for token in tokens:
        window.append(token)
        if len(window) == 3:
            yield tuple(window)
            window.popleft()
    while window:
        yield tuple(window)
        window.popleft()


def _items(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """The tokens of each item. An item begins with a line that declares something: at the top level, or wherever a line
    can do nothing else, so that a missing brace does not swallow the rest of the file."""
    group: list[Token] = []
    depth = 0
    for line in _with_following(tokens):
        token = line[0]
        if group and group[-1].type == "_NL":
            outside = depth <= 0 and _seems_to_declare(line)
            if outside or ((token.column or 0) <= (group[0].column or 0) and _declares(line)):
                yield group[:-1]
                group, depth = [], 0
        depth += (token.type in OPENING) - (token.type in CLOSING)
        group.append(token)
    if group:
        yield group


def _seems_to_declare(line: Sequence[Token]) -> bool:
    """Whether a line at the top level begins like a declaration, perhaps with its first word misspelt."""
    kinds = [token.type for token in line]
    return kinds[0] in DECLARATIONS or kinds in (["NAME", "NAME", "EQUAL"], ["NAME", "NAME", "LBRACE"])


def _declares(line: Sequence[Token]) -> bool:
    """Whether a declaration begins here: no statement and no setting looks like `model NAME =` or `pipeline NAME {`."""
    kinds = [token.type for token in line]
    if len(kinds) < 3 or kinds[0] not in DECLARATIONS:
        return False
    return (kinds[1] == "NAME" and kinds[2] in ("EQUAL", "LBRACE")) or (
        kinds[0] == "TEST" and kinds[1:] == ["STRING", "FOR"]
    )


def _feed(tokens: Sequence[Token], start: str) -> object:
    reader = parser().parse_interactive(start=start)
    for token in tokens:
        reader.feed_token(token)
    end = Token.new_borrow_pos("$END", "", tokens[-1]) if tokens else Token("$END", "", 0, 1, 1)
    return reader.feed_token(end)


def _span(source: Source, token: Token) -> Span:
    return Span(source, token.start_pos or 0, token.end_pos or 0)
