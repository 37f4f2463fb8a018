"""Main, to let `python -m smoadsl` be the `smoadsl` command."""

from smoadsl.tools.cli import entry

if __name__ == "__main__":
    entry()
