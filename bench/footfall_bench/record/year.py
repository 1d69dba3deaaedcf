"""A year of visits, which is made once and kept in target/bench, and how fast it is read."""

import reprlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from .. import made, progress
from ..errors import BenchError
from ..places import MIGRATIONS, YEAR
from ..processes import Supervisor
from ..spread import Spread
from . import sizes, year_sql
from .stage import Stage

# As the service takes, which begins with it ten minutes after its start.
_SUMMED_SECONDS = 1800.0
_PAUSE_SECONDS = 1.0

REPETITIONS = 21
_TOO_SLOW = 503
_COUNTER = year_sql.COUNTER


@dataclass(frozen=True)
class Answer:
    """How long an answer took."""

    title: str
    # history, values of a text or values of a property
    kind: str
    milliseconds: Spread
    # How often there was none, since it would have taken longer than `FOOTFALL_DATABASE_TIMEOUT` allows; then
    # that is how long it took.
    unanswered: int
    # What the service and the database took of the CPU for it.
    cpu_milliseconds: float


@dataclass(frozen=True)
class Year:
    """What was seen of it."""

    visits: int
    answers: list[Answer]
    # The bytes of all tables, by table.
    by_table: dict[str, int]


def measure(supervisor: Supervisor, visits_a_day: int, *, summed: bool) -> Year:
    """Reads a year of so many visits a day, and makes it before if there is none."""
    folder = YEAR / str(visits_a_day)
    digest = made.digest([MIGRATIONS], Path(year_sql.__file__).read_text(), visits_a_day)
    visits_made = made.Step(folder / "made", digest)
    sums_made = made.Step(folder / "made-sums", digest)
    if not visits_made.is_done:
        shutil.rmtree(folder, ignore_errors=True)
    stage = Stage(supervisor, "year", folder)
    stage.migrate()
    if not visits_made.is_done:
        print("== making a year of visits, which is done once", flush=True)
        for step in year_sql.steps(visits_a_day):
            stage.database.sql(step)
        visits_made.done()
    stage.start()
    if summed and not sums_made.is_done:
        print("== the service sums up its days; it begins ten minutes after its start", flush=True)
        _wait_until_summed(stage)
        sums_made.done()
    stage.log_in()
    visits = visits_a_day * year_sql.DAYS
    with progress.step("reading a year"):
        answers = list(_read(stage, visits))
    return Year(visits, answers, sizes.tables(stage))


def _wait_until_summed(stage: Stage) -> None:
    deadline = time.monotonic() + _SUMMED_SECONDS
    # The day of the last visit is not over.
    wanted = "SELECT summed >= through_at / 86400000 FROM recordings"
    while stage.database.sql(wanted) != "t":
        if time.monotonic() > deadline:
            raise BenchError("the days of the year are still not summed up")
        stage.supervisor.check()
        time.sleep(_PAUSE_SECONDS)
    stage.database.sql("VACUUM ANALYZE")


def _read(stage: Stage, visits: int) -> Iterator[Answer]:
    first, end = (date.fromisoformat(day) for day in stage.database.sql(year_sql.SPAN).split("|"))
    month_end = (end - timedelta(days=1)).replace(day=1)
    month = (month_end - timedelta(days=1)).replace(day=1)
    history = f"/api/counters/{_COUNTER}/history?unit=day&from={first}&to={end}"
    yield _timed(stage, "history by day", "history", history, visits)
    everything = f"/api/counters/{_COUNTER}/history?unit=day"
    yield _timed(stage, "history by day, all of it", "history", everything, visits)
    of_month = visits // year_sql.DAYS * (month_end - month).days
    values = f"/api/counters/{_COUNTER}/values?from={month}&to={month_end}&field="
    for field in ("path", "referrer", "campaign", "country"):
        title = f"values of `{field}`"
        yield _timed(stage, title, "text", values + field, of_month)
    elsewhere = f"{values}path&tz=Europe/Berlin"
    yield _timed(stage, "values of `path`, days of Berlin", "text", elsewhere, None)
    for key in ("plan", "version"):
        title = f"values of `properties.{key}`"
        yield _timed(stage, title, "property", f"{values}properties.{key}", of_month)


def _timed(stage: Stage, title: str, kind: str, path: str, visits: int | None) -> Answer:
    """Asks again and again; the first answer, for which nothing was in memory, does not count."""
    _ask(stage, path, visits)
    elapsed, unanswered = [], 0
    cpu = _cpu_seconds(stage)
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        unanswered += not _ask(stage, path, visits)
        elapsed.append((time.perf_counter() - began) * 1000)
    cpu = _cpu_seconds(stage) - cpu
    return Answer(title, kind, Spread.of(elapsed), unanswered, cpu * 1000 / REPETITIONS)


def _ask(stage: Stage, path: str, visits: int | None) -> bool:
    """Whether there is an answer, which must be right."""
    status, answer = stage.client.request("GET", path, stage.headers)
    if status == _TOO_SLOW:
        return False
    if status != 200 or (visits is not None and answer["visits"] != visits):
        raise BenchError(f"{path} answered {status}: {reprlib.repr(answer)}, for {visits} visits")
    return True


def _cpu_seconds(stage: Stage) -> float:
    return stage.instance.cpu_seconds() + stage.database.cpu_seconds()

