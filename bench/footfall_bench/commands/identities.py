"""`bench/identities.sh`"""

from dataclasses import dataclass
from random import Random

from ..markdown import number, table
from ..places import previous_footfall
from ..plans import CONNECTIONS
from ..processes import Supervisor
from ..scaling.measure import Sample, measure
from ..scaling.points import SHIPPED, Point, before
from ..scaling.stage import FIRST_PORT, Stage
from ..spread import Spread

_ROUNDS = 5
_SECONDS = 1.0
_CONNECTIONS = (8, CONNECTIONS)


@dataclass(frozen=True)
class _Row:
    """A load, and whether Redis waits for the disk before it answers."""

    point: Point
    durable: bool


def main(_: str | None, seed: int | None) -> None:
    earlier = previous_footfall()
    rows = list(_rows(SHIPPED, ""))
    if earlier is not None:
        rows += _rows(before(SHIPPED), ", before")
    random = Random(seed)
    samples: dict[_Row, list[Sample]] = {row: [] for row in rows}
    sizes: dict[_Row, float] = {}
    with Supervisor(FIRST_PORT) as supervisor:
        stage = Stage(supervisor, [row.point for row in rows], earlier)
        for _round in range(_ROUNDS):
            for row in random.sample(rows, len(rows)):
                sample, sizes[row] = _measure(stage, row)
                samples[row].append(sample)
    head = [
        "Visits", "Connections", "Disk", "Visits per second", "Calls of Redis per visit",
        "Bytes of Redis memory per visit", "µs of CPU per visit, Redis' main thread",
    ]  # fmt: skip
    print(table(head, (_cells(row, samples[row], sizes[row]) for row in rows)), end="")


def _rows(instance: str, suffix: str) -> list[_Row]:
    return [
        _Row(
            Point("identities", series + suffix, connections, instance, connections, identities=identities),
            durable,
        )
        for durable in (True, False)
        for connections in _CONNECTIONS
        for series, identities in (("without identity", False), ("each with one", True))
    ]  # fmt: skip


def _measure(stage: Stage, row: _Row) -> tuple[Sample, float]:
    """What was seen, and the bytes of each identity that is remembered."""
    redis = stage.redis_of(row.point)
    redis.forget_identities("visits")
    redis.wait_for_disk(row.durable)
    sample = measure(stage, row.point, _SECONDS)
    remembered = redis.identities("visits")
    return sample, remembered.size / remembered.number if remembered.number else 0.0


def _cells(row: _Row, samples: list[Sample], size: float) -> list[str]:
    def median(figure: str) -> float:
        return Spread.of(getattr(sample, figure) for sample in samples).median

    return [
        row.point.series,
        str(row.point.connections),
        "waited for" if row.durable else "–",
        number(median("per_second")),
        number(median("redis_calls")),
        f"{size:.1f}",
        f"{median('redis_us'):.2f}",
    ]
