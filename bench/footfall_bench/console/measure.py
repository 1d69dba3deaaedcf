"""Counting, while pages are live or none is."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from statistics import fmean

from .. import loads
from ..audiences.stage import AnyStage, OnPostgres
from ..clock import Clock
from ..errors import BenchError
from ..plans import CONNECTIONS, WARM_UP_SECONDS
from .stage import COUNTED

# Visits per second of the load that is the same with and without pages.
RATE = 1_000

_PATH = f"/api/counters/{COUNTED}"


@dataclass(frozen=True)
class Sample:
    """What was seen of a load for a while."""

    per_second: float
    # Of the service, of one core.
    cpu_share: float
    # Of the service, per visit.
    server_us: float


def mean(samples: Sequence[Sample]) -> Sample:
    """What was seen in as long a time each."""
    return Sample(*(fmean(figures) for figures in zip(*map(astuple, samples), strict=True)))


class Counting:
    """A load that goes on."""

    def __init__(self, stage: AnyStage) -> None:
        self._stage = stage
        # What other programs took of all there is, when it has ended.
        self.foreign_share = 0.0

    def sample(self, seconds: float) -> Sample:
        """What is seen of it now, for so long."""
        visits, clock = self._visits(), Clock(self._stage.instance.cpu_seconds)
        time.sleep(seconds)
        counted, took = self._visits() - visits, clock.took()
        self._stage.supervisor.check()
        return Sample(
            per_second=counted / took.seconds,
            cpu_share=took.cpu_seconds / took.seconds,
            server_us=took.cpu_seconds * 1e6 / counted,
        )

    def _visits(self) -> int:
        status, answer = self._stage.client.request("GET", _PATH, self._stage.headers)
        if status != 200:
            raise BenchError(f"GET {_PATH} answered {status}: {answer}")
        return int(answer["visits"])


@contextmanager
def counting(stage: AnyStage, rate: int | None, seconds: float) -> Iterator[Counting]:
    """Counts at a rate, or as fast as it goes, for so long, within which the block is to end."""
    clock = Clock(lambda: _all_cpu_seconds(stage))
    seen = Counting(stage)
    with ThreadPoolExecutor(1) as thread:
        load = thread.submit(
            loads.bench_load,
            stage.instance.addresses,
            _PATH,
            connections=CONNECTIONS,
            seconds=WARM_UP_SECONDS + seconds,
            headers=stage.headers,
            rate=rate,
            options=("--method", "POST"),
        )
        time.sleep(WARM_UP_SECONDS)
        yield seen
        if load.done():
            load.result()
            raise BenchError(f"what was to be seen within {seconds:.0f} s of counting took longer")
        seen.foreign_share = clock.took(load.result().cpu_seconds).foreign_share


def _all_cpu_seconds(stage: AnyStage) -> float:
    redis = stage.redis.work().all_seconds if isinstance(stage, OnPostgres) else 0.0
    return redis + stage.cpu_seconds()
