"""Footfall with the visits of audiences, on each database. They are made once, in target/bench/audiences."""

import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from .. import made
from ..contestants import footfall
from ..errors import BenchError
from ..migrations import migrate
from ..places import AUDIENCES, FOOTFALL, MIGRATIONS, SQLITE_MIGRATIONS
from ..processes import Supervisor
from ..record.stage import Service, Stage
from . import visits_sql

# As the service takes, which begins with it ten minutes after its start.
_SUMMED_SECONDS = 3600.0
_PAUSE_SECONDS = 1.0

_NAMES = ", ".join(f"'{counter.name}'" for counter in visits_sql.COUNTERS)
# The day of the last visit is not over. The benchmark of the console adds counters of its own.
_SUMMED = f"SELECT count(*) FROM recordings WHERE summed >= through_at / 86400000 AND counter IN ({_NAMES})"
# Days that are not known to be summed up are answered from rows.
_FORGET_SUMS = "UPDATE recordings SET summed = 0"
_REMEMBER_SUMS = """
UPDATE recordings SET summed = 1 + (SELECT coalesce(max(day), -1) FROM visitor_days WHERE recording_id = recordings.id)
"""
_START = "SELECT min(created_at) FROM recordings"


class OnPostgres(Stage):
    """With the Redis and the PostgreSQL that a replica has."""

    title = "PostgreSQL"
    dialect = visits_sql.POSTGRES

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        super().__init__(supervisor, "audiences", folder)

    def sql(self, text: str) -> str:
        return self.database.sql(text)

    def make(self, steps: Iterable[str]) -> None:
        for step in steps:
            self.sql(step)

    def tidy(self) -> None:
        self.sql("VACUUM ANALYZE")

    def cpu_seconds(self) -> float:
        return self.instance.cpu_seconds() + self.database.cpu_seconds()


class OnSqlite(Service):
    """With everything in one file."""

    title = "SQLite"
    dialect = visits_sql.SQLITE

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = {"FOOTFALL_DATA_DIR": str(folder)}
        self._file = folder / "footfall.db"
        super().__init__(supervisor, footfall("audiences-embedded", **self._settings))

    def migrate(self) -> None:
        """Makes the tables."""
        migrate(FOOTFALL, self._settings)

    def sql(self, text: str) -> str:
        with closing(self._connect()) as connection:
            row = connection.execute(text).fetchone()
        return "" if row is None else str(row[0])

    def make(self, steps: Iterable[str]) -> None:
        with closing(self._connect()) as connection:
            # It is made again if this is cut short.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -400000")
            connection.execute("BEGIN")
            for step in steps:
                connection.execute(step)
            connection.execute("COMMIT")

    def tidy(self) -> None:
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def cpu_seconds(self) -> float:
        return self.instance.cpu_seconds()

    def _connect(self) -> sqlite3.Connection:
        # A transaction begins where it is said.
        return sqlite3.connect(self._file, timeout=30, isolation_level=None)


AnyStage = OnPostgres | OnSqlite
KINDS: tuple[type[AnyStage], ...] = (OnPostgres, OnSqlite)


def open_stage(kind: type[AnyStage], supervisor: Supervisor, visits: int) -> AnyStage:
    """One that has its visits; the service is not started yet."""
    folder = AUDIENCES / f"{visits}-{kind.title.lower()}"
    digest = made.digest(
        [MIGRATIONS, SQLITE_MIGRATIONS], Path(visits_sql.__file__).read_text(), visits
    )
    visits_made = made.Step(folder / "made", digest)
    if not visits_made.is_done:
        shutil.rmtree(folder, ignore_errors=True)
    stage = kind(supervisor, folder)
    stage.migrate()
    if not visits_made.is_done:
        print(f"== making visits in {kind.title}, which is done once", flush=True)
        stage.make(visits_sql.steps(kind.dialect, visits, visits_sql.start()))
        stage.tidy()
        visits_made.done()
    return stage


def start_of(stage: AnyStage) -> int:
    """From when its visits are, in Unix milliseconds."""
    return int(stage.sql(_START))


def sum_up(supervisor: Supervisor, visits: int) -> None:
    """Has the services sum up the days of both, if they have not."""
    stages = [open_stage(kind, supervisor, visits) for kind in KINDS]
    waiting = [stage for stage in stages if not _is_summed(stage)]
    if not waiting:
        return
    print("== the services sum up the days; they begin ten minutes after their start", flush=True)
    for stage in waiting:
        stage.start()
    deadline = time.monotonic() + _SUMMED_SECONDS
    while any(not _is_summed(stage) for stage in waiting):
        if time.monotonic() > deadline:
            raise BenchError("the days are still not summed up")
        supervisor.check()
        time.sleep(_PAUSE_SECONDS)
    for stage in waiting:
        stage.tidy()


def _is_summed(stage: AnyStage) -> bool:
    return stage.sql(_SUMMED) == str(len(visits_sql.COUNTERS))


def forget_sums(stage: AnyStage) -> None:
    """From here on every visit is looked at."""
    stage.sql(_FORGET_SUMS)


def remember_sums(stage: AnyStage) -> None:
    """From here on the sums of days are used again."""
    stage.sql(_REMEMBER_SUMS)
