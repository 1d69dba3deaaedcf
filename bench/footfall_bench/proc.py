"""What the kernel knows of processes."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")

# What this process, and so all that it starts, may use.
_CPUS = os.sched_getaffinity(0)
CORES = len(_CPUS)


@dataclass(frozen=True)
class Memory:
    """Of some processes together, in MB. A page they share is in each's RSS, and once in the PSS."""

    rss_mb: float
    pss_mb: float


def session_members(leader: int) -> list[int]:
    """All processes of the session a process leads: itself, its children and theirs."""
    members = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and _session(entry) == leader:
            members.append(int(entry.name))
    return members


def is_member(pid: int, leader: int) -> bool:
    """Whether this process lives and is of that session."""
    return _session(_PROC / str(pid)) == leader


def _session(entry: Path) -> int | None:
    fields = _fields(entry)
    return None if not fields or fields[0] == "Z" else int(fields[3])


def _fields(entry: Path) -> list[str]:
    """What proc(5) has after the name of a process, from its state on; nothing if there is none."""
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return []
    # The name is in parentheses and may hold anything.
    return stat.rpartition(")")[2].split()


def main_thread_state(pid: int) -> str:
    """The letter that proc(5) explains; none if there is no such process."""
    try:
        stat = (_PROC / str(pid) / "task" / str(pid) / "stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, of all its threads, in user and kernel, ended ones too.

    This is utime + stime of /proc/PID/stat, but to the nanosecond instead of the hundredth of a
    second: the process' own clock, numbered as clock_getcpuclockid(3) does.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def family_cpu_seconds(parent: int) -> float:
    """CPU time of a process and of its children, those that have ended too."""
    total = cpu_seconds(parent)
    for entry in _PROC.iterdir():
        fields = _fields(entry) if entry.name.isdigit() else []
        if entry.name == str(parent) and fields:
            total += sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
        elif fields and int(fields[1]) == parent:
            total += cpu_seconds(int(entry.name))
    return total


def memory(pids: list[int]) -> Memory:
    """Memory of these processes now."""
    rss = pss = 0
    for pid in pids:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return Memory(rss_mb=rss / 1024, pss_mb=pss / 1024)


def forget_peak(pid: int) -> None:
    """From here on the most memory that a process had is what it has now (proc(5), clear_refs)."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """The most memory that a process had, in MB."""
    status = (_PROC / str(pid) / "status").read_text()
    found = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


def machine_busy_seconds() -> float:
    """CPU time of everything on the cores that may be used."""
    names = {f"cpu{number}" for number in _CPUS}
    busy = 0
    for line in (_PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name in names:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            busy += user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK")
