"""How much Redis remembers, for how long: the window against memory."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .. import checks, instances, loads
from ..contestants import footfall
from ..errors import BenchError
from ..plans import Plan
from .stage import Stage

RATE = 4_000
# A window begins anew when the one before it is forgotten, so a cycle takes two; this sees several.
_WINDOWS_LONG = 5.5
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Window:
    """What was remembered while the same load went on."""

    seconds: int
    # The most at a moment, and the memory of that.
    identities: int
    megabytes: float
    # Bytes of one, whenever there was a window's worth of them: tables grow in steps.
    fewest_bytes: float
    most_bytes: float

    @property
    def windows(self) -> float:
        """How many windows' visits that is."""
        return self.identities / (RATE * self.seconds)


def measure_windows(stage: Stage, plan: Plan) -> Iterator[Window]:
    """One window after the other, each several times."""
    for repetition in range(plan.windows_repetitions):
        for seconds in plan.windows_seconds:
            yield _measure(stage, seconds, f"window-{seconds}-{repetition}")


def _measure(stage: Stage, seconds: int, counter: str) -> Window:
    contestant = footfall(counter, FOOTFALL_DEDUP_WINDOW=f"{seconds}s")
    instance = instances.start(stage.supervisor, contestant, stage.redis.url, unix=True)
    seen = []
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
            seen.append(stage.redis.identities(counter))
            time.sleep(_LOOK_EVERY_SECONDS)
        load.result()
    for server in instance.servers:
        stage.supervisor.stop(server)
    most = max(seen, key=lambda remembered: remembered.number)
    # A little less than a window: the load's last moments are not all at once.
    each = [one.size / one.number for one in seen if one.number >= 0.9 * RATE * seconds]
    if not each:
        raise BenchError(f"of {RATE * seconds} identities of a window only {most.number} were seen")
    return Window(seconds, most.number, most.size / 1e6, min(each), max(each))
