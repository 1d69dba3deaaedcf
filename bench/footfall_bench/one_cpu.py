"""The time of one CPU and no more, as a container may have it: by a control group of the kernel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import Server

# Of each 100 ms, on whichever cores.
_MICROSECONDS = "100000"


@contextmanager
def one_cpu() -> Iterator[Path | None]:
    """A group whose processes have that together; none where the machine does not allow it to be made."""
    group = _make()
    try:
        yield group
    finally:
        if group is not None:
            group.rmdir()


def confine(group: Path, server: Server) -> None:
    """Moves a server that has only just started into it."""
    for pid in server.pids:
        (group / "cgroup.procs").write_text(str(pid))


def _make() -> Path | None:
    for root, limit in _roots():
        group = root / f"footfall-bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(_MICROSECONDS)
        except OSError:
            group.rmdir()
            continue
        return group
    return None


def _roots() -> Iterator[tuple[Path, str]]:
    """Where groups are made, and the file that limits one: cgroups(7), version 2 and version 1."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        root = Path(place)
        if kind == "cgroup2" and "cpu" in _controllers(root):
            yield root, "cpu.max"
        elif kind == "cgroup" and "cpu" in options.split(","):
            yield root, "cpu.cfs_quota_us"


def _controllers(root: Path) -> list[str]:
    try:
        return (root / "cgroup.subtree_control").read_text().split()
    except OSError:
        return []
