"""Footfall with the visits of audiences, many counters, people and saved audiences, on each database."""

import time

from ..audiences import visits_sql
from ..audiences.stage import AnyStage, OnPostgres
from ..errors import BenchError
from . import counters_sql

# As many audiences as presets. A company may have a thousand of each.
_SAVED = 200

_OK, _CREATED, _CONFLICT = 200, 201, 409

# The counter with the most visits.
LARGEST = visits_sql.COUNTERS[0].name

# What visits are counted on while pages are live.
COUNTED = "visits"


def fill(stage: AnyStage, visits: int, counters: int) -> None:
    """Makes the counters and people; the service is not started yet."""
    now = int(time.time() * 1000)
    stage.make(counters_sql.steps(stage.dialect, counters, now))
    counts = {counter.name: visits // 5 * counter.of_five for counter in visits_sql.COUNTERS}
    counts |= {counters_sql.name(number): counters_sql.VISITS for number in range(counters)}
    if isinstance(stage, OnPostgres):
        stage.redis.put_counts(counts)
    else:
        values = ", ".join(f"('{name}', {count})" for name, count in counts.items())
        stage.sql(f"INSERT INTO counters (name, visits) VALUES {values} ON CONFLICT DO NOTHING")
    stage.tidy()


def save(stage: AnyStage) -> None:
    """Saves audiences and presets, those that are not there yet."""
    for number in range(_SAVED):
        filter_ = {
            "version": 1,
            "include": {"did": {"counter": LARGEST, "times": {"at_least": number + 1}}},
        }
        audience = {"name": f"Audience {number}", "filter": filter_}
        preset = {"preset_name": f"Preset {number}", "preset_filter_json": filter_}
        for path, body in (("/api/audiences", audience), ("/api/presets", preset)):
            status, answer = stage.client.request("POST", path, stage.headers, body)
            if status not in (_CREATED, _CONFLICT):
                raise BenchError(f"{path} answered {status}: {answer}")


def steady(stage: AnyStage) -> None:
    """Leaves out what would differ more from one time to the next than what live pages take: how long the disk takes,
    and how much waits to be recorded."""
    path = f"/api/counters/{COUNTED}/recording"
    status, answer = stage.client.request("PUT", path, stage.headers, {"on": False})
    if status != _OK:
        raise BenchError(f"{path} answered {status}: {answer}")
    if isinstance(stage, OnPostgres):
        stage.redis.wait_for_no_disk()
