"""Measuring one point once."""

import time
from dataclasses import dataclass

from .. import checks, loads, proc
from ..errors import BenchError
from ..instances import Instance
from ..loads import LoadResult, quantile_us
from ..plans import WARM_UP_SECONDS
from ..proc import CORES
from .busy import watched
from .points import Point
from .stage import Stage

_SETTLE_SECONDS = 0.05
# So many more counters a second are created at the least, or something is wrong.
_SLOWEST_CREATION = 1_000
_CREATION_ROUND_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """What was seen of a point once. CPU times are in µs per visit."""

    per_second: float
    server_us: float
    # Of Redis' main thread, and of all its threads.
    redis_us: float
    redis_all_us: float
    redis_calls: float
    # The share of the time that Redis' main thread was at work, and that time in µs per visit.
    redis_busy: float
    redis_wall_us: float
    load_share: float
    foreign_share: float
    # As a client sees it that sends its next visit when it has the answer to the last one.
    closed_loop_p50_us: float
    closed_loop_p99_us: float


def measure(stage: Stage, point: Point, seconds: float) -> Sample:
    """Measures a point once."""
    instance = stage.instance(point)
    _load(stage, instance, point, WARM_UP_SECONDS)
    time.sleep(_SETTLE_SECONDS)
    wall, machine = time.monotonic(), proc.machine_busy_seconds()
    server, wire = instance.cpu_seconds(), stage.wire_seconds(point)
    store = stage.redis_of(point)
    redis = store.work()
    with watched(store.server.pid) as busy:
        load = _load(stage, instance, point, seconds)
    redis_work = store.work().since(redis)
    server = instance.cpu_seconds() - server
    wire = stage.wire_seconds(point) - wire
    machine = proc.machine_busy_seconds() - machine
    available = (time.monotonic() - wall) * CORES
    stage.supervisor.check()
    ours = server + wire + redis_work.all_seconds + load.cpu_seconds
    return Sample(
        per_second=load.requests / load.seconds,
        server_us=server * 1e6 / load.requests,
        redis_us=redis_work.main_seconds * 1e6 / load.requests,
        redis_all_us=redis_work.all_seconds * 1e6 / load.requests,
        redis_calls=redis_work.calls / load.requests,
        redis_busy=busy.share,
        redis_wall_us=busy.share * load.seconds * 1e6 / load.requests,
        load_share=load.cpu_seconds / available,
        foreign_share=max(0.0, machine - ours) / available,
        closed_loop_p50_us=quantile_us(load.latency, 0.5),
        closed_loop_p99_us=quantile_us(load.latency, 0.99),
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
        headers=checks.bearer(stage.token_of(point)),
        threads=CORES,
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
            threads=CORES,
            options=["--method", "POST", "--counters", str(number), "--in-turn",
                     "--first", str(stage.redis.counters())],
        )  # fmt: skip
    return (stage.redis.work().used_memory - before) / number
