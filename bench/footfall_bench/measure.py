"""Measuring one cell once."""

import json
import os
import time
from dataclasses import dataclass, field

from . import checks, loads, proc
from .cells import Cell
from .contestants import PASSWORD
from .loads import Histogram, LoadResult
from .plans import WARM_UP_SECONDS, Plan
from .redis_server import Work
from .stage import Stage

_CORES = os.cpu_count() or 1
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
    redis_us: float
    load_us: float
    redis_calls: float
    # Shares of all cores: of the load generator, and of whatever is no part of the measurement.
    load_share: float
    foreign_share: float
    p50_us: float
    p99_us: float
    p999_us: float
    lateness_p99_us: float
    latency: Histogram = field(repr=False)


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
        instance = stage.instances[cell.instance]
        key = instance.contestant.counter_key
        return cls(
            visits=stage.redis.count(key) if key else 0,
            redis=stage.redis.work(),
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
    stage.check()
    if cell.operation == "count":
        visits = after.visits - before.visits
        checks.check_visits(cell.instance, visits, load.requests, cell.connections)
    return _sample(before, after, load)


def _sample(before: _Reading, after: _Reading, load: LoadResult) -> Sample:
    server, nginx = after.server - before.server, after.nginx - before.nginx
    redis = after.redis.since(before.redis)
    available = (after.wall - before.wall) * _CORES
    ours = server + nginx + redis.cpu_seconds + load.cpu_seconds

    def microseconds(seconds: float) -> float:
        return seconds * 1e6 / load.requests

    return Sample(
        requests=load.requests,
        per_second=load.requests / load.seconds,
        server_us=microseconds(server),
        nginx_us=microseconds(nginx),
        redis_us=microseconds(redis.cpu_seconds),
        load_us=microseconds(load.cpu_seconds),
        redis_calls=redis.calls / load.requests,
        load_share=load.cpu_seconds / available,
        foreign_share=max(0.0, after.machine - before.machine - ours) / available,
        p50_us=load.p50_us,
        p99_us=load.p99_us,
        p999_us=load.p999_us,
        lateness_p99_us=load.lateness_p99_us,
        latency=load.latency,
    )


def _headers(stage: Stage, cell: Cell) -> dict[str, str]:
    return checks.bearer(stage.tokens[cell.instance]) if cell.operation == "count" else {}


def _warm_up(stage: Stage, cell: Cell) -> None:
    if cell.operation == "login":
        return
    loads.bench_load(
        [stage.address(cell)],
        _PATHS[cell.operation],
        connections=cell.connections,
        seconds=WARM_UP_SECONDS,
        headers=_headers(stage, cell),
        rate=cell.rate,
        options=["--ids"] if cell.own_ids else [],
    )


def _load(stage: Stage, cell: Cell, plan: Plan) -> LoadResult:
    address, path, headers = stage.address(cell), _PATHS[cell.operation], _headers(stage, cell)
    if cell.rate is not None:
        return loads.bench_load(
            [address],
            path,
            connections=cell.connections,
            seconds=plan.paced_seconds,
            headers=headers,
            rate=cell.rate,
        )
    credentials = json.dumps({"username": "admin", "password": PASSWORD})
    return loads.wrk(
        address,
        path,
        connections=cell.connections,
        seconds=plan.seconds,
        headers=headers,
        identities=cell.own_ids,
        body=credentials if cell.operation == "login" else None,
    )
