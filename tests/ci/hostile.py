"""Hostile, to write what a stranger could propose to a repository: files, names and texts that want to be more."""

import json
from dataclasses import dataclass, field

COMMANDS = [
    "::set-env name=PATH::mine", "::error file=secret.txt::mine", "::add-mask::e", "::stop-commands::mine",
    "::set-output name=ok::yes", "##[set-env name=PATH]mine", "##[add-mask]e", "##vso[task.complete]mine",
    "##teamcity[buildStop comment='mine']", "%0A::set-env name=PATH::mine", "%0D%0A##[error]mine",
]  # fmt: skip
ESCAPES = "\x1b[95m\x1b[2J\x1b]0;mine\x07\x9b3J\u202eltr\u2066\rover\x08\x85\x00end"
LINKS = "[link=https://x.example]y[/link] [a](https://x.example) [/nope] <script>alert(1)</script> ]]> &amp; ${x}"
HOSTILE = "".join(f"{end}{one}" for one in COMMANDS for end in ("\n", "\r\n ", " ", "\u2028\t")) + ESCAPES + LINKS
RAW = frozenset(ESCAPES) - frozenset(map(chr, range(32, 127))) - {"\r"}

_IN_QUOTES = json.dumps(HOSTILE)[1:-1].replace("\\u0000", "")
_ONE_LINE = " ".join(COMMANDS) + LINKS.replace('"', "")


def _everywhere(text: str) -> str:
    """A file that means something, with a text at every place where the language takes any."""
    return f'''\
provider lab = openai {{
  base_url = "https://llm.example/v1"
  headers  = {{ "x-a" = "{text}" }}
}}
param word = "{text}" in ["{text}", "other"]
model m = "lab/m" {{ stop = ["{text}"], about = "{text}", extra = {{ "{text}" = "{text}" }} }}
model n = "groq/n"
role one = "{text}"
roles panel = ["{text}", "two"]
template t = "{{{{ prompt }}}} {text}"

pipeline p {{
  answer choice("{text}", "B")

  layer first {{
    propose m, n as panel
    judge   score(m) keep 1 {{
      criteria = "{text}"
    }}
  }}

  aggregate m {{
    template = t
  }}
}}

test "{text}" for p {{
  prompt "{text}"
  reply  * "{text}"
  expect answer == "{text}"
  expect answer contains "mine {text}"
  expect calls == 1
}}
'''


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of a proposal by their names; those that end in `.moa` are given to the commands."""

    files: dict[str, str] = field(repr=False)


CHECKOUTS = {
    "in quotes": Checkout({"p.moa": _everywhere(_IN_QUOTES)}),
    "on one line": Checkout({"p.moa": _everywhere(_ONE_LINE)}),
    "as they are": Checkout({"p.moa": _everywhere(HOSTILE)}),
    "lines of their own": Checkout({"p.moa": f"{HOSTILE}\nmodel m = 1\n::error::mine\n# {_ONE_LINE}\n"}),
    "in comments": Checkout(
        {"p.moa": f'# {_ONE_LINE}\nmodel m="groq/x" # {_ONE_LINE}\npipeline p {{ aggregate m }}\n'}
    ),
    "in a text block": Checkout(
        {
            "p.moa": f'model m = "groq/x"\ntemplate t = """\n::error::mine\n{{{{ prompt }}}}\n  {_ONE_LINE}\n"""\n'
            "pipeline p {\n  aggregate m {\n    template=t\n  }\n}\n"
        }
    ),
    "names": Checkout({"p.moa": "\n".join(f"model {one} = {one}\n{one}\npipeline {one} {{" for one in COMMANDS)}),
    "imports": Checkout({"p.moa": "\n".join(f'import "{one}.moa"' for one in (_IN_QUOTES, _ONE_LINE, *COMMANDS))}),
    "names of files": Checkout(
        {
            **{f"{one.replace('/', '-')}.moa": 'model m="groq/x"\nmodel m = 2\n' for one in COMMANDS},
            "a\n::error::mine.moa": "model",
            "a\r::add-mask::e\x1b[2J\u202e.moa": 'model m = "groq/x"\npipeline p { aggregate m }\n',
            " ::error::mine.moa": 'model m="groq/x"\npipeline p { aggregate m }\n',
        }
    ),
    "templates in files": Checkout(
        {
            "p.moa": 'model m = "groq/x"\ntemplate t = file("t.jinja")\npipeline p { aggregate m { template = t } }\n',
            "t.jinja": f"::error::mine\n{HOSTILE.replace(chr(0), '')}{{{{ nothing }}}}\n::error::mine\n{{% if %}}",
        }
    ),
}
