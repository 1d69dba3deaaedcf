"""A PostgreSQL from Debian's packages, for accounts beside Redis."""

import os
import subprocess
from pathlib import Path

from .errors import BenchError
from .processes import Command, Supervisor

# Who runs it where this runs as root, which PostgreSQL refuses.
_NOBODY = 65534


def start(supervisor: Supervisor) -> str:
    """Starts one with an empty database; the URL of that."""
    programs = _programs()
    folder = supervisor.folder / "postgresql"
    folder.mkdir()
    run_as: list[str] = []
    if os.geteuid() == 0:
        run_as = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        os.chown(folder, _NOBODY, _NOBODY)
        # To be entered, not read.
        supervisor.folder.chmod(0o711)
    data = folder / "data"
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    initdb: Command = [
        *run_as, programs / "initdb", "--pgdata", data, "--username=footfall", "--auth=trust",
        "--encoding=UTF8", "--no-sync", "--no-instructions",
    ]  # fmt: skip
    done = subprocess.run(
        initdb, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
    if done.returncode != 0:
        raise BenchError(f"initdb: {(done.stdout + done.stderr).strip()}")
    port = str(supervisor.port("PostgreSQL"))
    # What it does with its files costs Footfall nothing.
    command: Command = [
        *run_as, programs / "postgres", "-D", data, "-k", folder, "-p", port,
        "-c", "listen_addresses=", "-c", "fsync=off",
    ]  # fmt: skip
    server = supervisor.start("postgresql", command, environment)
    is_ready: Command = [programs / "pg_isready", "--quiet", "--host", folder, "--port", port]
    server.wait_until(lambda: subprocess.run(is_ready, check=False).returncode == 0)
    return f"postgres://footfall@/postgres?host={folder}&port={port}"


def _programs() -> Path:
    """The folder of the newest one's."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    if found is None:
        raise BenchError("PostgreSQL is missing; the scripts in bench/ install it")
    return found.parent
