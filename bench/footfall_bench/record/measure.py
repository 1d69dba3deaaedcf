"""Measuring one load once."""

import time
from dataclasses import dataclass

from .. import checks, loads, proc
from ..errors import BenchError
from ..loads import LoadResult
from ..plans import WARM_UP_SECONDS
from ..proc import CORES
from ..redis_server import Work
from .points import Point
from .stage import Stage

_SETTLE_SECONDS = 0.05


@dataclass(frozen=True)
class Sample:
    """What was seen of a load once. CPU times are in µs per visit, that of recording it among them."""

    per_second: float
    server_us: float
    # Of Redis' main thread.
    redis_us: float
    database_us: float
    # Calls of Redis to count.
    redis_calls: float
    load_share: float
    foreign_share: float


@dataclass(frozen=True)
class _Reading:
    """All clocks at a moment, in seconds."""

    wall: float
    machine: float
    server: float
    database: float
    redis: Work
    visits: int

    @classmethod
    def take(cls, stage: Stage, counter: str) -> "_Reading":
        return cls(
            visits=stage.redis.count(f"footfall:{{{counter}}}:count"),
            redis=stage.redis.work(),
            database=stage.database.cpu_seconds(),
            server=stage.instance.cpu_seconds(),
            machine=proc.machine_busy_seconds(),
            wall=time.monotonic(),
        )


def load(
    stage: Stage, point: Point, seconds: float, rate: float | None = None
) -> LoadResult:
    """Sends a load."""
    try:
        return loads.bench_load(
            stage.instance.addresses,
            point.path,
            connections=point.connections,
            seconds=seconds,
            headers={**stage.headers, **point.headers},
            rate=rate,
            options=point.options,
        )
    except BenchError as error:
        raise BenchError(f"{point.title}: {error}") from error


def measure(stage: Stage, point: Point, seconds: float) -> Sample:
    """Measures a load once. It is over when all of it is recorded."""
    load(stage, point, WARM_UP_SECONDS)
    stage.wait_until_drained(point.counter)
    time.sleep(_SETTLE_SECONDS)
    before = _Reading.take(stage, point.counter)
    result = load(stage, point, seconds)
    stage.wait_until_drained(point.counter)
    time.sleep(_SETTLE_SECONDS)
    after = _Reading.take(stage, point.counter)
    stage.supervisor.check()
    visits = after.visits - before.visits
    answered, open_at_most = result.requests * point.lines, point.connections * point.lines
    checks.check_visits(point.name, visits, answered, open_at_most)
    return _sample(before, after, result, visits)


def _sample(before: _Reading, after: _Reading, result: LoadResult, visits: int) -> Sample:
    server, database = after.server - before.server, after.database - before.database
    redis = after.redis.since(before.redis)
    available = (after.wall - before.wall) * CORES
    ours = server + database + redis.all_seconds + result.cpu_seconds
    return Sample(
        per_second=visits / result.seconds,
        server_us=server * 1e6 / visits,
        redis_us=redis.main_seconds * 1e6 / visits,
        database_us=database * 1e6 / visits,
        redis_calls=redis.hashed_scripts / visits,
        load_share=result.cpu_seconds / available,
        foreign_share=max(0.0, after.machine - before.machine - ours) / available,
    )
