"""Ray cluster, to have one: that of an address, or one of this machine's own for as long as the command runs."""

import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from smoadsl.classes import dataclass

_STORE_BYTES = 128 << 20  # rows pass through it on their way to the workers
_CLIENT = "ray://"


class ClusterError(Exception):
    """What a cluster could not do; the message says what, and what can be done."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to work: the cluster at `address` (host and port of its head, or `auto`), else one of our own. `workers`:
    how many processes, else one for each of its processors."""

    address: str | None = None
    workers: int | None = None


def ray_library() -> Any:
    """Ray. Raises `ClusterError` where it is not installed, or not with what its part for data sets needs."""
    _prepare()
    try:
        import pyarrow  # noqa: F401
        import ray
    except ImportError:
        raise ClusterError('--engine ray needs Ray: pip install "smoadsl[ray]"') from None
    return ray


def connect(cluster: Cluster) -> tuple[Any, int]:
    """Ray, connected, and how many workers there are to be. Raises `ClusterError`."""
    if cluster.address is not None and cluster.address.startswith(_CLIENT):
        raise ClusterError(
            f"--ray-address {cluster.address}: the run's folder is on this machine, so the command runs on one of the "
            "cluster's: give HOST:PORT there, or `auto`"
        )
    if cluster.address is None:
        os.environ["RAY_AUTH_MODE"] = "token"  # nobody else may use what is started here
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    with _silence():
        ray = ray_library()
        _start(ray, cluster)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        _check_token(cluster.address)
        return ray, _workers(cluster, int(ray.cluster_resources().get("CPU", 0)))
    except ClusterError:
        ray.shutdown()
        raise


def _start(ray: Any, cluster: Cluster) -> None:
    common = {"log_to_driver": False, "logging_level": logging.CRITICAL, "namespace": f"smoadsl-{secrets.token_hex(8)}"}
    try:
        if cluster.address is None:
            own = {"include_dashboard": False, "object_store_memory": _STORE_BYTES, "num_cpus": cluster.workers}
            ray.init("local", **common, **own)
        else:
            ray.init(cluster.address, **common)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        where = f"the cluster at {cluster.address} can not be used" if cluster.address else "Ray does not start here"
        raise ClusterError(f"{where}: {_first_line(error)}") from None


def _prepare() -> None:
    """What must stand before Ray is imported: it reports nothing to its makers, and says nothing on the terminal."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    warnings.filterwarnings("ignore", module=r"ray\b")


@contextmanager
def _silence() -> Iterator[None]:
    """What Ray's own parts write to the terminal while they start, whatever they were told, goes nowhere."""
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def _check_token(address: str | None) -> None:
    """Whoever reaches a cluster without a token runs what he likes on it."""
    host = urlsplit(f"//{address}").hostname if address else "localhost"
    if host not in ("localhost", "127.0.0.1", "::1") and "RAY_AUTH_MODE" not in os.environ:
        raise ClusterError(
            f"the cluster at {address} asks for no token: set RAY_AUTH_MODE=token here and where it is started, or "
            "RAY_AUTH_MODE=disabled if nobody else can reach it"
        )


def _workers(cluster: Cluster, processors: int) -> int:
    if cluster.workers is not None and cluster.workers > processors:
        raise ClusterError(f"--workers {cluster.workers}: the cluster has {processors} processors, and each takes one")
    if processors < 1:
        raise ClusterError("the cluster has no processors: start a node that has some")
    return cluster.workers or processors


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
