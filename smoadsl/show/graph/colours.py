"""Colours, to say once what each part of a drawing looks like by day and by night, as style sheets for an SVG.

Every rule has its colour in full: programs that know neither variables nor media queries draw the light one.
"""

from collections.abc import Iterator

_COLOURS = {  # what, of which property: by day, by night
    "paper fill": ("#ffffff", "#0d1117"),
    "title fill": ("#1f2328", "#f0f6fc"),
    "name fill": ("#1f2328", "#e6edf3"),
    "pill fill": ("#ffffff", "#0d1117"),
    "detail fill": ("#57606a", "#9aa4af"),
    "wire stroke": ("#8b949e", "#6e7781"),
    "tip fill": ("#8b949e", "#6e7781"),
    "layer fill": ("#f6f8fa", "#151b23"),
    "layer stroke": ("#d0d7de", "#30363d"),
    "bar fill": ("#eaeef2", "#212830"),
    "pipeline fill": ("#fbf9ff", "#181524"),
    "pipeline stroke": ("#d4c8f0", "#453a68"),
    "pipeline-bar fill": ("#f0eafc", "#272040"),
    "panel stroke": ("#c3cad2", "#3d444d"),
    "agent fill": ("#ffffff", "#0f141b"),
    "agent stroke": ("#c6ccd4", "#3d444d"),
    "prompt fill": ("#424a53", "#c9d1d9"),
    "answer fill": ("#424a53", "#c9d1d9"),
    "activate fill": ("#eef6fc", "#10202e"),
    "activate stroke": ("#7fb3d9", "#2f6690"),
    "activate-word fill": ("#1b6299", "#79bdf0"),
    "quorum fill": ("#eef6fc", "#10202e"),
    "quorum stroke": ("#7fb3d9", "#2f6690"),
    "quorum-word fill": ("#1b6299", "#79bdf0"),
    "judge fill": ("#fff8e8", "#261d0c"),
    "judge stroke": ("#dcb35c", "#7d6128"),
    "judge-word fill": ("#865b00", "#e3b341"),
    "stop fill": ("#fff1f0", "#2a1416"),
    "stop stroke": ("#e5a09b", "#84423f"),
    "stop-word fill": ("#a52a21", "#ff9b93"),
    "aggregate fill": ("#ecf8ef", "#0f2417"),
    "aggregate stroke": ("#7cc092", "#2f6f45"),
    "aggregate-word fill": ("#1a6b37", "#6fd08c"),
}
_MODELS = (  # hues that stay apart for the colour-blind, after Okabe and Ito
    ("#0072b2", "#58a6ff"),
    ("#e69f00", "#f0b429"),
    ("#009e73", "#3fc79a"),
    ("#cc79a7", "#e39ac4"),
    ("#d55e00", "#ff8f4c"),
    ("#56b4e9", "#8fd3ff"),
    ("#8a7f00", "#d8cf4a"),
    ("#6a5acd", "#a99bff"),
)
_SANS = "Helvetica, Arial, 'Liberation Sans', 'Nimbus Sans', Arimo, 'DejaVu Sans', sans-serif"
_CODE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"

MODELS = len(_MODELS)


def style_sheet(models: int) -> str:
    """The rules for a drawing with so many models. All are inside `.smoadsl`, so that a page may hold a drawing."""
    return "\n".join(
        [
            f".smoadsl text {{ font-family: {_SANS}; }}",
            f".smoadsl .code {{ font-family: {_CODE}; }}",
            ".smoadsl .bold { font-weight: 600; }",
            ".smoadsl .wire { fill: none; stroke-width: 1.4; stroke-linejoin: round; }",
            ".smoadsl .dashed { stroke-dasharray: 4 3; }",
            ".smoadsl .panel { fill: none; stroke-dasharray: 2 3; }",
            *_rules(models, 0),
            "@media (prefers-color-scheme: dark) {",
            *(f"  {rule}" for rule in _rules(models, 1)),
            "}",
        ]
    )


def _rules(models: int, shade: int) -> Iterator[str]:
    by_value: dict[str, list[str]] = {}
    for name, shades in _COLOURS.items():
        part, _, what = name.partition(" ")
        by_value.setdefault(f"{what}: {shades[shade]}", []).append(f".smoadsl .{part}")
    for number in range(min(models, MODELS)):
        by_value.setdefault(f"fill: {_MODELS[number][shade]}", []).append(f".smoadsl .model-{number}")
    for value, names in by_value.items():
        yield f"{', '.join(names)} {{ {value}; }}"
