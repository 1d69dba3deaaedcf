"""How much Redis remembers, for how long: the window against memory."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .. import checks, instances, loads
from ..contestants import footfall
from ..plans import Plan
from .stage import Stage

WINDOWS_SECONDS = (1, 2, 4)
RATE = 4_000
# A whole window is forgotten at once, so the most is remembered at the end of the second one.
_WINDOWS_LONG = 3.5
_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True)
class Window:
    """The most that was remembered."""

    seconds: int
    identities: int
    megabytes: float

    @property
    def bytes_each(self) -> float:
        return self.megabytes * 1e6 / self.identities

    @property
    def windows(self) -> float:
        """How many windows' visits that is."""
        return self.identities / (RATE * self.seconds)


def measure_windows(stage: Stage, plan: Plan) -> Iterator[Window]:
    """One window after the other."""
    for seconds in WINDOWS_SECONDS if plan.published else WINDOWS_SECONDS[:1]:
        yield _measure(stage, seconds)


def _measure(stage: Stage, seconds: int) -> Window:
    counter = f"window-{seconds}"
    contestant = footfall(counter, FOOTFALL_DEDUP_WINDOW=f"{seconds}s")
    instance = instances.start(stage.supervisor, contestant, stage.redis.url, unix=True)
    most = Window(seconds, 0, 0.0)
    with ThreadPoolExecutor(1) as background:
        load = background.submit(
            loads.bench_load,
            instance.addresses,
            f"/api/counters/{counter}",
            connections=64,
            seconds=_WINDOWS_LONG * seconds,
            headers=checks.bearer(stage.token),
            rate=RATE,
            options=["--method", "POST", "--ids"],
        )
        while not load.done():
            seen = stage.redis.identities(counter)
            if seen.number > most.identities:
                most = Window(seconds, seen.number, seen.size / 1e6)
            time.sleep(_LOOK_EVERY_SECONDS)
        load.result()
    for server in instance.servers:
        stage.supervisor.stop(server)
    return most
