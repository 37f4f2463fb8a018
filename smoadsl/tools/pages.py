"""Pages, to find the page of each code among what is installed."""

from importlib.resources import files
from importlib.resources.abc import Traversable

from smoadsl.diagnostics.explain import Page, read_page


def codes() -> tuple[str, ...]:
    """Every code that has a page, sorted."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".md") for name in names if name.endswith(".md")))


def page_of(code: str) -> Page:
    return read_page((_folder() / f"{code}.md").read_text(encoding="utf-8"))


def _folder() -> Traversable:
    return files("smoadsl.diagnostics") / "pages"
