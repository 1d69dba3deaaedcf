"""Where and with what something was measured."""

import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .places import NODE, ROOT
from .proc import CORES


def describe(seed: int) -> dict[str, Any]:
    """The machine, the revision and the versions."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": _revision(),
        "seed": seed,
        "cpu": _cpu(),
        "cores": CORES,
        "kernel": platform.release(),
        "versions": {
            "rustc": _version(["rustc", "--version"]),
            "nginx": _version(["nginx", "-v"]),
            "Redis": _version(["redis-server", "--version"]),
            "Python": platform.python_version(),
            "Node.js": _version([str(NODE), "--version"]),
        },
    }


def describe_previous(binary: Path) -> str:
    """What a Footfall says that it is."""
    return _output([str(binary), "--version"])


def _revision() -> str:
    git = ["git", "-C", str(ROOT)]
    # The results of the run before are in docs/ and the README.
    changed = _output([*git, "status", "--porcelain", "--", ".", ":!docs", ":!README.md"])
    return _output([*git, "rev-parse", "--short", "HEAD"]) + ("-dirty" if changed else "")


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _output(command: Sequence[str]) -> str:
    try:
        # nginx has its own ideas of exit codes and of where to print.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return (done.stdout + done.stderr).strip()


def _version(command: Sequence[str]) -> str:
    found = re.search(r"\d+\.\d+(\.\d+)?", _output(command))
    return found[0] if found else "unknown"
