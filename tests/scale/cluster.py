"""Cluster, to be a Ray cluster of three nodes on this machine: one that commands run on, and two that work.

Run as `python -m tests.scale.cluster FOLDER`, with a token in its surroundings. It reads the key, writes its address to
`address` in the folder, where its logs are too, and ends with its input. Only the two that work have the key, and a
processor each.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from tests.canary import CANARY

ROOT = Path(__file__).parent.parent.parent
KEY = "SELLER_KEY"
_STORE_BYTES = 100 << 20


@dataclass(frozen=True, slots=True)
class Cluster:
    """One that runs. `environ` is for commands that use it: they have no key."""

    address: str
    folder: Path
    environ: dict[str, str]
    process: int

    def workers(self) -> list[int]:
        """The processes that rows are worked on in."""
        return self.named("MapWorker")

    def heads(self) -> list[int]:
        """The processes that know all tasks, and have no key in their own surroundings."""
        return self.named("gcs_server")

    def named(self, name: str) -> list[int]:
        """The processes whose command has this in it."""
        return [pid for pid in _below(self.process) if name.encode() in _command(pid)]

    def node_of(self, process: int) -> int:
        """The process that all others of its node end with."""
        return _parent(Path(f"/proc/{process}"))


@contextmanager
def running() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short names
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | token
    environ["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.scale.cluster", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(CANARY.encode() + b"\n")
    process.stdin.flush()
    try:
        deadline = time.monotonic() + 90
        while not (folder / "address").exists():
            assert process.poll() is None, "the cluster does not start"
            assert time.monotonic() < deadline, "the cluster takes too long to start"
            time.sleep(0.1)
        yield Cluster((folder / "address").read_text(), folder, environ, process.pid)
    finally:
        process.communicate(timeout=60)
        rmtree(folder)


def _below(process: int) -> list[int]:
    """All processes that descend from this one."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = [process]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it has ended


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _serve(folder: Path) -> None:
    from ray.cluster_utils import Cluster as Nodes

    own = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    nodes = Nodes(initialize_head=True, head_node_args={**own, "num_cpus": 0, "temp_dir": str(folder)})
    os.environ[KEY] = sys.stdin.readline().strip()
    for _ in range(2):
        nodes.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
    nodes.wait_for_nodes()
    (folder / "address.new").write_text(nodes.address)
    (folder / "address.new").rename(folder / "address")
    sys.stdin.read()
    nodes.shutdown()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
