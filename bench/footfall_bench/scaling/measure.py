"""Measuring one point once."""

import os
import time
from dataclasses import dataclass

from .. import checks, loads, proc
from ..errors import BenchError
from ..instances import Instance
from ..loads import LoadResult
from ..plans import WARM_UP_SECONDS
from .points import Point
from .stage import Stage

_CORES = os.cpu_count() or 1
_THREADS = 2
_SETTLE_SECONDS = 0.05
# So many more counters a second are created at the least, or something is wrong.
_SLOWEST_CREATION = 1_000
_CREATION_ROUND_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """What was seen of a point once. CPU times are in µs per visit."""

    per_second: float
    server_us: float
    redis_us: float
    redis_calls: float
    load_share: float
    foreign_share: float
    p50_us: float
    p99_us: float


def measure(stage: Stage, point: Point, seconds: float) -> Sample:
    """Measures a point once."""
    instance = stage.instance(point)
    _load(stage, instance, point, WARM_UP_SECONDS)
    time.sleep(_SETTLE_SECONDS)
    wall, machine = time.monotonic(), proc.machine_busy_seconds()
    server, redis = instance.cpu_seconds(), stage.redis.work()
    load = _load(stage, instance, point, seconds)
    redis_work = stage.redis.work().since(redis)
    server = instance.cpu_seconds() - server
    machine = proc.machine_busy_seconds() - machine
    available = (time.monotonic() - wall) * _CORES
    stage.supervisor.check()
    ours = server + redis_work.cpu_seconds + load.cpu_seconds
    return Sample(
        per_second=load.requests / load.seconds,
        server_us=server * 1e6 / load.requests,
        redis_us=redis_work.cpu_seconds * 1e6 / load.requests,
        redis_calls=redis_work.calls / load.requests,
        load_share=load.cpu_seconds / available,
        foreign_share=max(0.0, machine - ours) / available,
        p50_us=load.p50_us,
        p99_us=load.p99_us,
    )


def _load(stage: Stage, instance: Instance, point: Point, seconds: float) -> LoadResult:
    path, options = "/api/count", ["--ids"] if point.identities else []
    if point.counters:
        path = "/api/counters/c{counter}"
        options += ["--method", "POST", "--counters", str(point.counters), "--hot", str(point.hot)]
    return loads.bench_load(
        instance.addresses,
        path,
        connections=point.connections,
        seconds=seconds,
        headers=checks.bearer(stage.token),
        threads=_THREADS,
        options=options,
    )


def create_counters(stage: Stage, number: int) -> float:
    """Visits each of so many counters at least once; bytes of Redis' memory for each."""
    before = stage.redis.work().used_memory
    deadline = time.monotonic() + 10 + number / _SLOWEST_CREATION
    while stage.redis.counters() < number:
        if time.monotonic() > deadline:
            raise BenchError(f"{number} counters could not be created in time")
        loads.bench_load(
            stage.shipped.addresses,
            "/api/counters/c{counter}",
            connections=256,
            seconds=_CREATION_ROUND_SECONDS,
            headers=checks.bearer(stage.token),
            threads=_THREADS,
            options=["--method", "POST", "--counters", str(number), "--in-turn",
                     "--first", str(stage.redis.counters())],
        )  # fmt: skip
    return (stage.redis.work().used_memory - before) / number
