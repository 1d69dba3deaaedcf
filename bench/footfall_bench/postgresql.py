"""A PostgreSQL from Debian's packages, for what is beside Redis."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import proc
from .errors import BenchError
from .places import POSTGRES_CONFIG
from .processes import Command, Supervisor

# Who runs it where this runs as root, which PostgreSQL refuses.
_NOBODY = 65534

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}

# As config/postgres has them, but for the passwords: the service is no owner, so what rows it may see
# is looked at.
_ROLES = """
CREATE ROLE footfall_owner LOGIN;
CREATE ROLE footfall LOGIN;
"""
# By itself, since it is no part of a transaction.
_DATABASE = "CREATE DATABASE footfall OWNER footfall_owner"
_RIGHTS = """
ALTER SCHEMA public OWNER TO footfall_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE footfall_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO footfall;
ALTER DEFAULT PRIVILEGES FOR ROLE footfall_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO footfall;
"""


class PostgreSQL:
    """One with the roles of Footfall and its database, which is empty unless the folder had it before."""

    def __init__(
        self, supervisor: Supervisor, *, folder: Path | None = None, durable: bool = False
    ) -> None:
        self._programs = _programs()
        # Paths of sockets must be short.
        self._sockets = supervisor.folder / "postgresql"
        self._run_as: list[str] = []
        if os.geteuid() == 0:
            self._run_as = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
            # To be entered, not read.
            supervisor.folder.chmod(0o711)
            supervisor.disk.chmod(0o711)
        place = folder or (supervisor.disk if durable else supervisor.folder) / "database"
        for made in (self._sockets, place):
            made.mkdir(parents=True, exist_ok=True)
            if self._run_as:
                os.chown(made, _NOBODY, _NOBODY)
        data = place / "data"
        is_new = not data.exists()
        if is_new:
            self._initialise(data)
        self._port = str(supervisor.port("PostgreSQL"))
        # As it is shipped, or where what it does with its files is of no interest, without.
        settings = ["-c", f"config_file={POSTGRES_CONFIG}"] if durable else ["-c", "fsync=off"]
        command: Command = [
            *self._run_as, self._programs / "postgres", "-D", data, "-k", self._sockets, "-p", self._port,
            *settings, "-c", "listen_addresses=",
        ]  # fmt: skip
        self.server = supervisor.start("postgresql", command, _ENVIRONMENT)
        is_ready: Command = [self._programs / "pg_isready", "--quiet", *self._there()]
        self.server.wait_until(lambda: subprocess.run(is_ready, check=False).returncode == 0)
        if is_new:
            self.sql(_ROLES, database="postgres")
            self.sql(_DATABASE, database="postgres")
            self.sql(_RIGHTS)

    def _initialise(self, data: Path) -> None:
        initdb: Command = [
            *self._run_as, self._programs / "initdb", "--pgdata", data, "--username=postgres",
            "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        _run(initdb, cwd=data.parent)

    def _there(self) -> list[str | Path]:
        return ["--host", self._sockets, "--port", self._port]

    @property
    def url(self) -> str:
        """The database, for the service."""
        return self._url("footfall")

    @property
    def owner_url(self) -> str:
        """The same for who migrates it."""
        return self._url("footfall_owner")

    def _url(self, role: str) -> str:
        return f"postgres://{role}@/footfall?host={self._sockets}&port={self._port}"

    def sql(self, text: str, database: str = "footfall") -> str:
        """Does this as a superuser; what it answers, without heads."""
        return _run([*self._psql(database), "--command", text], cwd=self._sockets).strip()

    def _psql(self, database: str) -> list[str | Path]:
        return [
            self._programs / "psql", *self._there(), "--username=postgres", f"--dbname={database}",
            "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
        ]  # fmt: skip

    @contextmanager
    def transaction(self, text: str) -> Iterator[None]:
        """Does this, and what it has locked stays so while the block lasts."""
        psql = [str(part) for part in (*self._psql("footfall"), "--file=-")]
        holding = subprocess.Popen(
            psql, env=_ENVIRONMENT, cwd=self._sockets, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert holding.stdin is not None and holding.stdout is not None
        try:
            holding.stdin.write(f"BEGIN;\n{text};\n\\echo done\n")
            holding.stdin.flush()
            said = ""
            while said != "done\n":
                said = holding.stdout.readline()
                if not said or "ERROR" in said:
                    raise BenchError(f"psql: {said.strip() or 'it ended'}")
            yield
        finally:
            # What was begun is rolled back.
            holding.kill()
            holding.wait()

    def cpu_seconds(self) -> float:
        """Of all its processes, ended ones too."""
        return proc.family_cpu_seconds(self.server.pid)


def version() -> str:
    """Of the PostgreSQL that is started here."""
    said = _run([_programs() / "postgres", "--version"], cwd=Path("/"))
    return said.split()[2]


def _run(command: Command, cwd: Path) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=_ENVIRONMENT, cwd=cwd
    )
    if done.returncode != 0:
        name = next(Path(part).name for part in command if "/" in str(part))
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BenchError(f"{name}: {said[0] if said else f'it ended with {done.returncode}'}")
    return done.stdout


def _programs() -> Path:
    """The folder of the newest one's."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    if found is None:
        raise BenchError("PostgreSQL is missing; the scripts in bench/ install it")
    return found.parent
