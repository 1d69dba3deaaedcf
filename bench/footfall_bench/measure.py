"""Measuring one cell once."""

import json
import time
from dataclasses import dataclass, field, replace

from . import checks, loads, proc
from .cells import Cell
from .contestants import CREDENTIALS
from .errors import BenchError
from .loads import Histogram, LoadResult, quantile_us
from .plans import WARM_UP_SECONDS, Plan
from .proc import CORES
from .redis_server import Work
from .stage import Stage

_PATHS = {"ping": "/api/ping", "count": "/api/count", "login": "/auth/login"}

# Until what a load has left under way is done.
_SETTLE_SECONDS = 0.05


@dataclass(frozen=True)
class Sample:
    """What was seen of a cell once. CPU times are in µs per request."""

    requests: int
    per_second: float
    server_us: float
    nginx_us: float
    # Of Redis' main thread, and of all its threads.
    redis_us: float
    redis_all_us: float
    load_us: float
    redis_calls: float
    # Shares of all cores: of the load generator, of whatever is no part of the measurement, and what had nothing
    # to do, as while everybody waits for the disk.
    load_share: float
    foreign_share: float
    idle_share: float
    # From when a request was due, so only where there is a rate.
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    lateness_p99_us: float = 0.0
    latency: Histogram = field(default_factory=list, repr=False)

    @property
    def all_us(self) -> float:
        """Of everyone."""
        return self.server_us + self.nginx_us + self.redis_all_us + self.load_us


@dataclass(frozen=True)
class _Reading:
    """All clocks at a moment, in seconds."""

    wall: float
    machine: float
    server: float
    nginx: float
    redis: Work
    visits: int

    @classmethod
    def take(cls, stage: Stage, cell: Cell) -> "_Reading":
        instance = stage.instances[cell.entrant]
        return cls(
            visits=stage.visits(cell),
            redis=stage.work(cell),
            nginx=0.0 if cell.direct else stage.nginx[cell.nginx_workers].cpu_seconds(),
            server=instance.cpu_seconds(),
            machine=proc.machine_busy_seconds(),
            wall=time.monotonic(),
        )


def measure(stage: Stage, cell: Cell, plan: Plan) -> Sample:
    """Measures a cell once."""
    _warm_up(stage, cell)
    time.sleep(_SETTLE_SECONDS)
    before = _Reading.take(stage, cell)
    load = _load(stage, cell, plan)
    time.sleep(_SETTLE_SECONDS)
    after = _Reading.take(stage, cell)
    stage.tidy(cell)
    stage.check()
    done = load.requests
    if cell.operation == "count":
        # What was under way at the end is in no answer, but was work all the same.
        done = after.visits - before.visits
        checks.check_visits(cell.entrant, done, load.requests, cell.connections)
    return _sample(before, after, load, done, paced=cell.rate is not None)


def _sample(
    before: _Reading, after: _Reading, load: LoadResult, done: int, *, paced: bool
) -> Sample:
    server, nginx = after.server - before.server, after.nginx - before.nginx
    redis = after.redis.since(before.redis)
    available = (after.wall - before.wall) * CORES
    busy = after.machine - before.machine
    ours = server + nginx + redis.all_seconds + load.cpu_seconds

    def microseconds(seconds: float) -> float:
        return seconds * 1e6 / done

    sample = Sample(
        requests=load.requests,
        per_second=load.requests / load.seconds,
        server_us=microseconds(server),
        nginx_us=microseconds(nginx),
        redis_us=microseconds(redis.main_seconds),
        redis_all_us=microseconds(redis.all_seconds),
        load_us=microseconds(load.cpu_seconds),
        redis_calls=redis.calls / done,
        load_share=load.cpu_seconds / available,
        foreign_share=max(0.0, busy - ours) / available,
        # Before and after the load everything rests.
        idle_share=max(0.0, 1 - max(busy, ours) / (load.seconds * CORES)),
    )
    if not paced:
        return sample
    return replace(
        sample,
        p50_us=quantile_us(load.latency, 0.5),
        p99_us=quantile_us(load.latency, 0.99),
        p999_us=quantile_us(load.latency, 0.999),
        lateness_p99_us=quantile_us(load.lateness, 0.99),
        latency=load.latency,
    )


def _warm_up(stage: Stage, cell: Cell) -> None:
    if cell.operation != "login":
        _send(stage, cell, WARM_UP_SECONDS)


def _load(stage: Stage, cell: Cell, plan: Plan) -> LoadResult:
    return _send(stage, cell, plan.seconds if cell.rate is None else plan.paced_seconds)


def _send(stage: Stage, cell: Cell, seconds: float) -> LoadResult:
    headers, options = {}, []
    if cell.operation == "count":
        headers = checks.bearer(stage.tokens[cell.entrant])
    elif cell.operation == "login":
        headers = {"Content-Type": "application/json"}
        options = ["--method", "POST", "--body", json.dumps(CREDENTIALS)]
    if cell.own_ids:
        options.append("--ids")
    try:
        return loads.bench_load(
            [stage.address(cell)],
            _PATHS[cell.operation],
            connections=cell.connections,
            seconds=seconds,
            headers=headers,
            rate=cell.rate,
            # One has to be enough where latencies are looked at: two would wake each other up.
            threads=CORES if cell.rate is None else 1,
            options=options,
        )
    except BenchError as error:
        raise BenchError(f"{cell.operation} of {cell.entrant}: {error}") from error
