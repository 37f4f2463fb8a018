"""Test house, to keep the invariants of the architecture true: floors, purity, size, names, codes, light imports."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import smoadsl
from smoadsl.language import recover, syntax_problems, tokens
from tests.corpus_files import FOLDER, cases

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "smoadsl"
FILES = sorted(PACKAGE.rglob("*.py"))
ALL_FILES = [*FILES, *sorted((ROOT / "tests").rglob("*.py"))]
FLOORS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in ALL_FILES}

MOST_LINES_OF_FILE = 400
MOST_LINES_OF_FUNCTION = 60
PURE = ("diagnostics", "language", "plan", "score", "show")
PROBLEMS = sorted((PACKAGE / "language").glob("*problems.py"))
READS_THE_GRAMMAR = PACKAGE / "language" / "tokens.py"
BELOW = [PACKAGE / "classes.py", PACKAGE / "frozen.py"]
WRITES_INITS = PACKAGE / "classes.py"  # of names that stand in our own classes, as Python's dataclasses do
IO_MODULES = {"socket", "subprocess", "urllib.request", "http", "aiohttp", "asyncio", "shutil", "tempfile", "glob"}
IO_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "unlink"}
IO_CALLS |= {"input", "print", "exists", "is_file", "is_dir", "getenv", "stat", "urlopen", "mkdir"}
DANGEROUS = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
HEAVY = ("aiohttp", "xllamacpp", "pygls", "ray", "opentelemetry", "rich", "genai_prices", "asyncio")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def floor_of(path: Path) -> str:
    inside = path.relative_to(PACKAGE).parts
    return inside[0] if len(inside) > 1 else ""


def imports(path: Path, *, at_start: bool = False) -> Iterator[str]:
    """The modules that a file imports: everywhere, or only those that importing the file imports."""
    tree = TREES[path]
    later = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (isinstance(node, ast.If) and _typing(node))
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if at_start and node in later:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno} imports relatively"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if _is_module(whole) else str(node.module)


def _typing(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_a_file_imports_only_from_its_own_floor_and_those_below() -> None:
    wrong = [
        f"{relative(path)} imports {name}"
        for path in FILES
        if floor_of(path)
        for name in imports(path)
        if name.startswith("smoadsl.") and name.split(".")[1] in FLOORS and name.split(".")[1] > floor_of(path)
    ]
    assert not wrong


def test_what_is_below_all_floors_knows_none_of_them() -> None:
    below = {f"smoadsl.{path.stem}" for path in BELOW}
    assert not {name for path in BELOW for name in imports(path) if name.startswith("smoadsl")} - below


def test_the_top_of_the_package_is_imported_by_nobody_below_the_doors() -> None:
    wrong = [relative(p) for p in FILES if floor_of(p) not in ("", "tools") and "smoadsl" in imports(p)]
    assert not wrong


def test_there_are_no_cycles() -> None:
    graph = {module_of(p): {n for n in imports(p, at_start=True) if n.startswith("smoadsl")} for p in FILES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("floor", PURE)
def test_a_pure_floor_does_no_io(floor: str) -> None:
    wrong = []
    for path in (p for p in FILES if floor_of(p) == floor and p != READS_THE_GRAMMAR):
        wrong += [f"{relative(path)} imports {n}" for n in imports(path) if IO_MODULES & {n, n.partition(".")[0]}]
        wrong += [f"{relative(path)}:{node.lineno} {what}" for node, what in _io(TREES[path])]
    assert not wrong


def _io(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in IO_CALLS:
                yield node, f"calls {name}"
        elif isinstance(node, ast.Attribute) and node.attr in ("environ", "stdin", "stdout", "stderr", "argv"):
            yield node, f"uses {node.attr}"


def test_the_runtime_never_sees_text_or_nodes() -> None:
    wrong = [
        f"{relative(path)} imports {name}"
        for path in FILES
        if floor_of(path) == "runtime"
        for name in imports(path)
        if name.startswith("smoadsl.language") or name == "lark"
    ]
    assert not wrong


def test_show_never_sees_an_adapter_or_a_call() -> None:
    wrong = [
        f"{relative(path)} imports {name}"
        for path in FILES
        if floor_of(path) == "show"
        for name in imports(path)
        if name.startswith(("smoadsl.adapters", "smoadsl.calls", "smoadsl.language", "smoadsl.runtime.executor"))
    ]
    assert not wrong


def test_nothing_is_run_that_was_read() -> None:
    wrong = []
    for path in ALL_FILES:
        wrong += [f"{relative(path)} imports {name}" for name in imports(path) if name.partition(".")[0] in DANGEROUS]
        for node in ast.walk(TREES[path]) if path != WRITES_INITS else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                wrong.append(f"{relative(path)}:{node.lineno} calls {node.func.id}")
    assert not wrong


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not source:
        return
    said = ast.get_docstring(TREES[path]) or ""
    sentence = said.split("\n\n")[0].replace("\n", " ")
    assert re.match(r"[^\W\d_][\w' -]*, to \w.*\.$", sentence), f'a module opens with "Name, to ….", not {sentence!r}'


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_files_and_functions_are_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES_OF_FILE
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MOST_LINES_OF_FUNCTION, f"{node.name} is too long"


# ---- what is heavy is imported only when it is used


def loaded(code: str, *arguments: str) -> set[str]:
    """The modules that a new interpreter has loaded after the code, by their top names."""
    tail = "\nimport sys\nsys.stderr.write('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail, *arguments], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def test_check_loads_nothing_heavy() -> None:
    code = "from smoadsl.tools.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    names = loaded(code, "check", *(str(path) for path in sorted((ROOT / "pipelines").glob("*.moa"))))
    assert not names & set(HEAVY)


def test_a_run_loads_only_what_it_uses(tmp_path: Path) -> None:
    """No parts of the network where a model is simulated, and nothing that reads JSON of ours where none is read."""
    file = tmp_path / "run.moa"
    file.write_text('model m = "simulated/m"\npipeline p { aggregate m }\n', encoding="utf-8")
    code = "from smoadsl.tools.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    names = loaded(code, "run", str(file), "hi", "--trace", str(tmp_path / "trace.jsonl"))
    assert not names & ({*HEAVY, "pydantic", "jsonschema", "http"} - {"asyncio"})


def test_importing_the_package_loads_nothing() -> None:
    names = loaded("import smoadsl")
    assert not names & {*HEAVY, "lark", "pydantic", "jinja2", "click", "orjson"}


def test_the_public_names_are_there() -> None:
    assert sorted(smoadsl.__all__) == smoadsl.__all__
    assert set(smoadsl.__all__) == set(smoadsl._HOMES)
    for name in smoadsl.__all__:
        assert getattr(smoadsl, name) is getattr(import_module(smoadsl._HOMES[name]), name)
    with pytest.raises(AttributeError):
        smoadsl.nothing_of_that_name  # noqa: B018


def test_the_version_is_in_the_changelog() -> None:
    changelog = ROOT / "CHANGELOG.md"
    if not changelog.is_file():
        pytest.skip("there is no changelog yet")
    assert re.search(rf"^## \[?{re.escape(smoadsl.__version__)}\b", changelog.read_text(encoding="utf-8"), re.MULTILINE)


# ---- one code is one function, and has a case


def codes() -> dict[str, list[str]]:
    """Each code with the functions that say it."""
    found: dict[str, list[str]] = {}
    for path in PROBLEMS:
        for node in TREES[path].body:
            if isinstance(node, ast.FunctionDef):
                for code in sorted(codes_in(node)):
                    found.setdefault(code, []).append(node.name)
    return found


def codes_in(tree: ast.AST) -> set[str]:
    texts = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {text for text in texts if re.fullmatch(r"MOA\d{3}", text)}


def test_a_code_is_one_function_and_a_function_one_code() -> None:
    functions = [name for names in codes().values() for name in names]
    assert not {code: names for code, names in codes().items() if len(names) > 1}
    assert sorted(functions) == sorted(set(functions))


def test_codes_are_said_by_problems_alone() -> None:
    assert not [relative(path) for path in FILES if path not in PROBLEMS and codes_in(TREES[path])]


def test_every_problem_is_said_somewhere() -> None:
    names = {node.attr for path in FILES for node in ast.walk(TREES[path]) if isinstance(node, ast.Attribute)}
    assert not [name for said in codes().values() for name in said if name not in names]


def test_every_code_has_a_case() -> None:
    shown = {one.code for case in cases("language") for one in case.expected}
    assert sorted(set(codes()) - shown) == []
    assert sorted(shown - set(codes())) == []


# ---- the grammar and the tables that are shipped


def test_the_shipped_tables_are_current() -> None:
    folder = tokens.grammar_folder()
    tables = json.loads((folder / "moa.tables.json").read_bytes())
    assert tables["grammar"] == tokens.fingerprint((folder / "moa.lark").read_text(encoding="utf-8"))


def test_the_shipped_tables_read_as_new_ones_do() -> None:
    built = json.loads(json.dumps(tokens.build_tables(), sort_keys=True))
    shipped = json.loads((tokens.grammar_folder() / "moa.tables.json").read_bytes())
    fresh, used = tokens.load(built), tokens.load(shipped)
    for path in sorted(FOLDER.rglob("*.moa")):
        text = path.read_text(encoding="utf-8")
        assert [(t.type, t.start_pos, t) for t in fresh.lex(text)] == [(t.type, t.start_pos, t) for t in used.lex(text)]
    for path in sorted((ROOT / "pipelines").glob("*.moa")):
        text = path.read_text(encoding="utf-8")
        assert fresh.parse(text, start="start") == used.parse(text, start="start")


def test_the_keywords_are_the_grammars() -> None:
    grammar = (tokens.grammar_folder() / "moa.lark").read_text(encoding="utf-8")
    words = set(re.findall(r"^[A-Z]+\.2: +/([a-z]+)\\b/", grammar, re.MULTILINE))
    assert words == syntax_problems.KEYWORDS
    assert {word.upper() for word in words} >= recover.DECLARATIONS
