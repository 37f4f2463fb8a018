"""Handles, to have no more rows under way than there may be connections: each is an open file, of which systems allow
so many."""

from collections.abc import Sequence

from smoadsl.plan.plan import Plan, routes_of
from smoadsl.scale.widest import widest
from smoadsl.tools.progress import tell

_OTHERS = 32  # files, pipes and databases


def rows_at_once(wanted: int, plans: Sequence[Plan]) -> int:
    """How many rows can be under way of those that are wanted at once. The limit of open files is raised for them as
    far as this may; where they are fewer, that is said."""
    each = max(map(_connections, plans))
    if not each:
        return wanted
    files = _limit_for(wanted * each + _OTHERS)
    fits = max(1, (files - _OTHERS) // each)
    if fits >= wanted:
        return wanted
    tell(f"only {files:,} files may be open here (`ulimit -n`): {fits:,} rows are under way at once, not {wanted:,}")
    return fits


def _connections(plan: Plan) -> int:
    """The most that a row can need: some may be kept by one provider while another is asked."""
    providers = {route.provider for route in routes_of(plan)}
    return widest(plan.pipeline) * sum(bool(plan.providers[name].base_url) for name in providers)


def _limit_for(files: int) -> int:
    """The limit of open files, raised to so many if it may be."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
    except ImportError:  # Windows has no such limit
        return files
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY or soft >= files:
        return files
    most = files if hard == RLIM_INFINITY else min(files, hard)
    while most > soft:
        try:
            setrlimit(RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # the system has a lower limit, which it does not tell
            most //= 2
        else:
            return most
    return soft
