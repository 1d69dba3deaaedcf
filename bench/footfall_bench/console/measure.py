"""Counting once, while pages are live or none is."""

from dataclasses import dataclass

from .. import loads
from ..audiences.stage import AnyStage, OnPostgres
from ..clock import Clock
from ..loads import LoadResult
from ..plans import CONNECTIONS, WARM_UP_SECONDS
from .stage import COUNTED

# Visits per second of the load that is the same with and without pages.
RATE = 1_000


@dataclass(frozen=True)
class Sample:
    """What was seen of a load."""

    per_second: float
    # Of the service, of one core.
    cpu_share: float
    # Of the service, per visit.
    server_us: float
    foreign_share: float


def measure(stage: AnyStage, seconds: float, rate: int | None) -> Sample:
    """Counts at a rate, or as fast as it goes."""
    _load(stage, WARM_UP_SECONDS, rate)
    of_service, of_all = Clock(stage.instance.cpu_seconds), Clock(lambda: _all_cpu_seconds(stage))
    result = _load(stage, seconds, rate)
    took, foreign_share = of_service.took(), of_all.took(result.cpu_seconds).foreign_share
    stage.supervisor.check()
    return Sample(
        per_second=result.requests / result.seconds,
        cpu_share=took.cpu_seconds / took.seconds,
        server_us=took.cpu_seconds * 1e6 / result.requests,
        foreign_share=foreign_share,
    )


def _load(stage: AnyStage, seconds: float, rate: int | None) -> LoadResult:
    return loads.bench_load(
        stage.instance.addresses,
        f"/api/counters/{COUNTED}",
        connections=CONNECTIONS,
        seconds=seconds,
        headers=stage.headers,
        rate=rate,
        options=("--method", "POST"),
    )


def _all_cpu_seconds(stage: AnyStage) -> float:
    redis = stage.redis.work().all_seconds if isinstance(stage, OnPostgres) else 0.0
    return redis + stage.cpu_seconds()
