"""Handles, to let a command have as many connections at once as its calls need, and to say where it can not."""

from smoadsl.tools.progress import tell

_OTHERS = 64  # files, pipes and databases


def room_for(calls: int) -> None:
    """Raise the limit of open files for so many calls at once, as far as this may; where it is lower, say so."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
    except ImportError:  # Windows has no such limit
        return
    needed = calls + _OTHERS
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == RLIM_INFINITY else min(needed, hard)
    try:
        setrlimit(RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # the system has another limit, which it does not tell
        most = soft
    if most < needed:
        tell(f"only {most:,} files may be open here (`ulimit -n`): of {calls:,} calls at once some wait for others")
