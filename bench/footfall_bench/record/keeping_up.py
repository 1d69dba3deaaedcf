"""Whether what is counted is recorded as fast, with everything on the same cores."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .. import proc
from ..errors import BenchError
from ..proc import CORES
from .measure import load
from .points import FIELDS, Point
from .stage import Stage

# Visits per second, a request each.
RATE = 10_000
_LOOK_EVERY_SECONDS = 0.05
# The first moments, in which tables and connections are new.
_BEGIN_SECONDS = 1.0

_POINT = Point("keeping-up", "five fields", "steady", FIELDS)


@dataclass(frozen=True)
class KeepingUp:
    """A load that lasted."""

    per_second: float
    # For how long the oldest visit that waited had: at the worst moment, and at most moments.
    worst_seconds: float
    median_seconds: float
    most_waiting: int
    foreign_share: float


def measure(stage: Stage, seconds: float) -> KeepingUp:
    """Sends so many visits per second for so long."""
    load(stage, _POINT, _BEGIN_SECONDS, RATE)
    stage.wait_until_drained(_POINT.counter)
    machine, wall, ours = proc.machine_busy_seconds(), time.monotonic(), _ours(stage)
    seen = []
    with ThreadPoolExecutor(1) as background:
        running = background.submit(load, stage, _POINT, seconds, RATE)
        while not running.done():
            seen.append(stage.redis.waiting(_POINT.counter))
            time.sleep(_LOOK_EVERY_SECONDS)
        result = running.result()
    ours = _ours(stage) - ours + result.cpu_seconds
    available = (time.monotonic() - wall) * CORES
    foreign = proc.machine_busy_seconds() - machine - ours
    stage.wait_until_drained(_POINT.counter)
    counted = stage.redis.count(f"footfall:{{{_POINT.counter}}}:count")
    rows = int(
        stage.database.sql(
            "SELECT count(*) FROM visits JOIN recordings ON recordings.id = recording_id "
            f"WHERE counter = '{_POINT.counter}'"
        )
    )
    if rows != counted:
        raise BenchError(f"{counted} visits were counted and {rows} recorded")
    waited = sorted(waiting.seconds for waiting in seen)
    return KeepingUp(
        per_second=result.requests / result.seconds,
        worst_seconds=waited[-1],
        median_seconds=waited[len(waited) // 2],
        most_waiting=max(waiting.visits for waiting in seen),
        foreign_share=max(0.0, foreign) / available,
    )


def _ours(stage: Stage) -> float:
    """CPU time of all servers."""
    redis = stage.redis.work().all_seconds
    return redis + stage.database.cpu_seconds() + stage.instance.cpu_seconds()
