"""Main, to let `python -m smoadsl` be the `smoadsl` command."""

from smoadsl.tools.entrance import entry

if __name__ == "__main__":
    entry()
