"""What passes while something is done."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from . import proc
from .proc import CORES


@dataclass(frozen=True)
class Took:
    """What something took."""

    seconds: float
    # Of the CPU, of those whose work it was.
    cpu_seconds: float
    # What other programs took of it. It is told in ticks of 10 ms: of what is short, only the sum of many says something.
    foreign_seconds: float

    @property
    def foreign_share(self) -> float:
        """Of all there is."""
        return max(0.0, self.foreign_seconds / self.seconds / CORES)


class Clock:
    """Runs from when it is made. It is told how to ask for the CPU time of those whose work it is."""

    def __init__(self, cpu_seconds: Callable[[], float]) -> None:
        self._cpu_seconds = cpu_seconds
        self._cpu = cpu_seconds()
        self._machine = proc.machine_busy_seconds()
        self._began = time.perf_counter()

    def took(self, others: float = 0.0) -> Took:
        """What has passed. `others` is CPU time of what belongs to the measurement as well, a load's."""
        elapsed = time.perf_counter() - self._began
        cpu = self._cpu_seconds() - self._cpu
        foreign = proc.machine_busy_seconds() - self._machine - cpu - others
        return Took(elapsed, cpu, foreign)
