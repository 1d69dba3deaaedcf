"""What a comparison comes to."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .cells import Cell
from .comparison import Comparison
from .loads import quantile_us
from .measure import Sample
from .spread import Spread

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999)

_FIGURES = (
    "requests", "per_second", "server_us", "nginx_us", "redis_us", "redis_all_us", "load_us",
    "redis_calls", "load_share", "foreign_share", "idle_share",
)  # fmt: skip
_LATENCIES = ("p50_us", "p99_us", "p999_us", "lateness_p99_us")


@dataclass
class Results:
    """A comparison, to be asked for medians."""

    meta: dict[str, Any]
    comparison: Comparison

    def spread(self, cell: Cell, figure: Callable[[Sample], float]) -> Spread:
        return Spread.of(figure(sample) for sample in self.comparison.samples[cell])

    def median(self, cell: Cell, figure: str) -> float:
        return self.spread(cell, lambda sample: getattr(sample, figure)).median

    def ratio(self, cell: Cell, other: Cell, figure: str) -> Spread:
        """One by another, round by round: these have the same neighbours."""
        samples = self.comparison.samples
        pairs = zip(samples[cell], samples[other], strict=True)
        return Spread.of(_by(getattr(one, figure), getattr(two, figure)) for one, two in pairs)

    def cells(self, part: str) -> list[Cell]:
        """The cells of a part, in the order in which they are declared."""
        return [cell for cell in self.comparison.samples if cell.part == part]

    def cell(self, part: str, **wanted: object) -> Cell:
        """The one cell of a part that is so."""
        found = [
            cell
            for cell in self.cells(part)
            if all(getattr(cell, name) == value for name, value in wanted.items())
        ]
        if len(found) != 1:
            raise KeyError(f"{len(found)} cells of {part} are {wanted}")
        return found[0]

    def quantiles_us(self, cell: Cell) -> list[float]:
        """Of the requests of all rounds together."""
        together: Counter[int] = Counter()
        for sample in self.comparison.samples[cell]:
            together.update(dict(sample.latency))
        histogram = sorted(together.items())
        return [quantile_us(histogram, quantile) for quantile in QUANTILES]

    def typical_quantiles_us(self, cell: Cell) -> list[float]:
        """Those of each round, and of these the median: one stall does not hide the rest."""
        histograms = [sample.latency for sample in self.comparison.samples[cell]]
        return [
            Spread.of(quantile_us(histogram, quantile) for histogram in histograms).median
            for quantile in QUANTILES
        ]

    def first_answer_ms(self, contestant: str) -> Spread:
        return Spread.of(start.first_answer_ms for start in self.comparison.starts[contestant])

    def idle_mb(self, contestant: str, kind: str) -> Spread:
        """`rss_mb` or `pss_mb` of a service that rests."""
        starts = self.comparison.starts[contestant]
        return Spread.of(getattr(start.idle, kind) for start in starts if start.idle)

    def loaded_mb(self, contestant: str, kind: str) -> float:
        """The most after any round."""
        return Spread.of(getattr(m, kind) for m in self.comparison.loaded[contestant]).high

    def foreign_share(self) -> Spread:
        """What was taken by programs that had nothing to do with this."""
        samples = self.comparison.samples.values()
        return Spread.of(sample.foreign_share for some in samples for sample in some)

    def to_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "meta": self.meta,
            "cells": [self._cell_to_json(cell) for cell in self.comparison.samples],
            "first_answer_ms": {
                name: [round(start.first_answer_ms, 2) for start in starts]
                for name, starts in self.comparison.starts.items()
            },
            "idle_memory": {
                name: [asdict(start.idle) for start in starts if start.idle]
                for name, starts in self.comparison.starts.items()
            },
            "loaded_memory": {
                name: [asdict(memory) for memory in each]
                for name, each in self.comparison.loaded.items()
            },
        }

    def _cell_to_json(self, cell: Cell) -> dict[str, Any]:
        samples = self.comparison.samples[cell]
        names = _FIGURES if cell.rate is None else _FIGURES + _LATENCIES
        figures = {name: [round(getattr(sample, name), 4) for sample in samples] for name in names}
        document = {
            **asdict(cell),
            "median": {
                name: round(Spread.of(values).median, 4) for name, values in figures.items()
            },
            "samples": figures,
        }
        if cell.rate is not None:
            quantiles = zip(QUANTILES, self.quantiles_us(cell), strict=True)
            document["quantiles_us"] = {str(name): value for name, value in quantiles}
        return document


def _by(one: float, other: float) -> float:
    """Nothing by nothing is no change."""
    return one / other if other else 1.0
