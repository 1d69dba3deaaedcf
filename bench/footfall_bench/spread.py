"""Medians, and how far from them single measurements were."""

import statistics as standard
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import BenchError


@dataclass(frozen=True)
class Spread:
    """Some measurements of one thing."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        seen = sorted(values)
        if not seen:
            raise BenchError("there is no measurement to take the median of")
        return cls(standard.median(seen), seen[0], seen[-1])

    @property
    def percent(self) -> float:
        """Half of the way from the lowest to the highest, in % of the median."""
        return 50 * (self.high - self.low) / self.median if self.median else 0.0
