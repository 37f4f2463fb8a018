"""Live, to show a run while it goes on: on standard error, and the answer as it is written on standard output."""

import click

from smoadsl.plan.plan import Layer
from smoadsl.runtime import events
from smoadsl.show.block import block_on_terminal
from smoadsl.show.safe import PrintableStream, encodable, layers_of, told
from smoadsl.show.totals import totals_line


class Live:
    """`streams`: pieces of the answer go to standard output as they come, and `streamed` says that some did.
    `terminal`: standard error is one, so that what stands there can be drawn again."""

    def __init__(self, *, streams: bool, terminal: bool) -> None:
        self.streamed = False
        self._streams = streams
        self._pieces = PrintableStream()
        self._line_is_open = False
        self._asked: dict[int, events.CallStarted] = {}
        self._layers: dict[str, Layer] = {}
        self._block = block_on_terminal() if terminal else None

    def show(self, event: events.Event, /) -> None:
        if isinstance(event, events.AnswerPiece):
            if self._streams:
                self._stream(event.text)
            return
        self._end_text()
        if isinstance(event, events.RunStarted):
            self._layers = layers_of(event.plan.pipeline)
        elif isinstance(event, events.CallStarted):
            self._asked[event.call] = event
        words = told(event, self._asked, self._layers)
        if self._block is None:
            self._say(words)
        else:
            self._block.draw(event, self._asked, words)
        if isinstance(event, events.RunFailed):
            if self.streamed:
                self._say("the text above is incomplete: it is not the answer")
            self._say(totals_line(event.totals))

    def close(self) -> None:
        """Give the terminal back. May be called twice."""
        self._end_text()
        if self._block is not None:
            self._block.finish()

    def _stream(self, piece: str) -> None:
        if self._block is not None and not self.streamed:
            self._block.finish("▸", "answers")
            self._block.say("")
        self.streamed = True
        self._write(self._pieces.feed(piece))

    def _end_text(self) -> None:
        self._write(self._pieces.end())
        self._write("\n" if self._line_is_open else "")

    def _write(self, text: str) -> None:
        if text:
            self._line_is_open = not text.endswith("\n")
            try:
                click.echo(text, nl=False)
            except UnicodeEncodeError as error:
                click.echo(encodable(text, error.encoding), nl=False)

    def _say(self, words: str) -> None:
        if self._block is not None:
            self._block.say(words)
        elif words:
            click.echo(words, err=True)
