"""What the measured costs come to at rates nobody has measured. All of it is arithmetic.

A visit costs what is done for each (`per_visit`), and its part of a call of Redis (`per_call`). How
many share a call follows from the load of a worker, which has one batch under way at a time: the
longer that takes, the more visits wait for the next.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from ..errors import BenchError
from ..places import PUBLISHED
from ..plans import CONNECTIONS
from ..proc import CORES
from .points import ROW, Point
from .session import Session

# With fewer connections Redis mostly rests, and each call pays alone for waking it and for its
# fsync. What fills a Redis is a busy one.
BUSY_CONNECTIONS = 16
RATES = (1_000, 10_000, 100_000, 1_000_000)
CORES_OF_A_MACHINE = 8
WINDOW_SECONDS = 60
# The defaults of FOOTFALL_DEDUP_LIMIT and of `maxmemory` in config/redis.conf.
DEDUP_LIMIT = 10_000_000
MAXMEMORY_BYTES = 2**30
# How long a batch of a worker may be under way in the best case: a visit then waits for one to two of
# them. It gets that long by itself when Redis or the worker is busy enough.
BATCH_SECONDS = 0.01
# What a batch holds at most.
_BATCH_LIMIT = 1024
_MOST_MACHINES = 100_000


@dataclass(frozen=True)
class Line:
    """µs for a visit, by how many calls of Redis there are for each."""

    per_call: float
    per_visit: float
    # How far it is from what was measured: the median and the worst point, as shares.
    deviation: float
    worst_deviation: float

    def at(self, calls: float) -> float:
        return self.per_call * calls + self.per_visit


@dataclass(frozen=True)
class Model:
    """What a visit costs."""

    # CPU of Redis' main thread, and how long it is at work, the waiting for the disk included.
    redis_cpu: Line
    redis_wall: Line
    server: Line
    # How long a worker's batch is under way, from the shortest to the longest that was measured.
    batch_seconds: tuple[float, float]
    # Bytes of an identity, from the fewest to the most that were seen.
    bytes_each: tuple[float, float]
    # None: there are no results of the comparison.
    nginx_us: float | None


@dataclass(frozen=True)
class Demand:
    """What a rate needs."""

    rate: int
    calls: float
    masters: int
    redis_cores: float
    server_cores: float
    nginx_cores: float | None
    machines: int

    def identities_bytes(self, bytes_each: tuple[float, float]) -> tuple[float, float]:
        """Between one window and two are remembered."""
        fewest, most = bytes_each
        once = self.rate * WINDOW_SECONDS
        return once * fewest, 2 * once * most

    def too_many_for_a_counter(self) -> bool:
        """With a counter on each master. More counters have fewer each."""
        return 2 * self.rate * WINDOW_SECONDS / self.masters > DEDUP_LIMIT

    def too_large_for_a_master(self, bytes_each: tuple[float, float]) -> bool:
        return self.identities_bytes(bytes_each)[1] / self.masters > MAXMEMORY_BYTES


def fitted_points(session: Session) -> list[Point]:
    """Those with identities that ask a busy Redis."""
    every = session.experiment("concurrency") + session.experiment("replicas")
    return [point for point in every if point.identities and point.connections >= BUSY_CONNECTIONS]


def workers_of(point: Point) -> int:
    return point.replicas if point.instance == ROW else CORES


def fit(session: Session) -> Model:
    """The costs, from what was measured."""
    points = fitted_points(session)

    def line(figure: str) -> Line:
        return _line(
            [(session.median(p, "redis_calls"), session.median(p, figure)) for p in points]
        )

    batches = [
        min(workers_of(p), p.connections)
        / (session.median(p, "per_second") * session.median(p, "redis_calls"))
        for p in points
    ]
    return Model(
        redis_cpu=line("redis_us"),
        redis_wall=line("redis_wall_us"),
        server=line("server_us"),
        batch_seconds=(min(batches), max(batches)),
        bytes_each=(
            min(window.fewest_bytes for window in session.windows),
            max(window.most_bytes for window in session.windows),
        ),
        nginx_us=_nginx_us(),
    )


def _line(points: Iterable[tuple[float, float]]) -> Line:
    """Least squares of the deviations in %: costs differ by more than a power of ten, and the small
    ones are what a large load pays. Neither part is below zero.
    """
    seen = list(points)
    weighted = [(x / y, 1 / y) for x, y in seen]
    uu, vv = sum(u * u for u, _ in weighted), sum(v * v for _, v in weighted)
    uv = sum(u * v for u, v in weighted)
    su, sv = sum(u for u, _ in weighted), sum(v for _, v in weighted)
    determinant = uu * vv - uv * uv
    if determinant <= 0:
        raise BenchError("the calls per visit were the same everywhere: no line can be fitted")
    per_call, per_visit = (su * vv - sv * uv) / determinant, (sv * uu - su * uv) / determinant
    if per_visit < 0:
        per_call, per_visit = su / uu, 0.0
    elif per_call < 0:
        per_call, per_visit = 0.0, sv / vv
    deviations = [abs((per_call * x + per_visit) / y - 1) for x, y in seen]
    return Line(per_call, per_visit, median(deviations), max(deviations))


def _nginx_us() -> float | None:
    """What a visit costs nginx, if the comparison was published."""
    try:
        cells = json.loads((PUBLISHED / "results.json").read_text())["cells"]
    except FileNotFoundError:
        return None
    wanted = {"part": "throughput", "contestant": "footfall", "operation": "count"} | {
        "nginx_workers": 1, "identities": True, "connections": CONNECTIONS,
    }  # fmt: skip
    found = (cell for cell in cells if wanted.items() <= cell.items())
    cell = next(found, None)
    return float(cell["median"]["nginx_us"]) if cell else None


def shared_calls(rate: float, workers: int, masters: int) -> float:
    """Calls per visit with one counter on each master and as long a batch as there may be."""
    batch = min(rate * BATCH_SECONDS / workers, _BATCH_LIMIT)
    return min(1.0, masters / batch)


def best(model: Model, rate: int) -> Demand:
    """As few machines as can be, and on each master one counter that all visits are to."""
    for machines in range(1, _MOST_MACHINES):
        workers, masters = machines * CORES_OF_A_MACHINE, 1
        # Each further master costs each batch one more call.
        while (needed := _masters(model, rate, shared_calls(rate, workers, masters))) > masters:
            masters = needed
        demand = _demand(model, rate, shared_calls(rate, workers, masters), masters)
        if demand.machines <= machines:
            return demand
    raise BenchError(f"{rate} visits per second are beyond {_MOST_MACHINES} machines")


def worst(model: Model, rate: int) -> Demand:
    """No two visits share a call: many counters, or many workers with little to do."""
    return _demand(model, rate, 1.0, _masters(model, rate, 1.0))


def demands(model: Model) -> Iterator[tuple[Demand, Demand]]:
    """The best and the worst case of each rate."""
    for rate in RATES:
        yield best(model, rate), worst(model, rate)


def _masters(model: Model, rate: int, calls: float) -> int:
    return max(1, math.ceil(rate * model.redis_wall.at(calls) / 1e6))


def _demand(model: Model, rate: int, calls: float, masters: int) -> Demand:
    server = rate * model.server.at(calls) / 1e6
    nginx = None if model.nginx_us is None else rate * model.nginx_us / 1e6
    return Demand(
        rate,
        calls,
        masters,
        rate * model.redis_cpu.at(calls) / 1e6,
        server,
        nginx,
        max(1, math.ceil((server + (nginx or 0.0)) / CORES_OF_A_MACHINE)),
    )
