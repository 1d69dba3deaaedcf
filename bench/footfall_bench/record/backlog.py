"""What visits take in Redis while they wait to be recorded."""

from dataclasses import dataclass, replace

from ..errors import BenchError
from .measure import load
from .points import FIVE, PLAIN, Point
from .stage import Stage

_SECONDS = 1.0
# So that no two visits share an entry: that is what takes most.
_CONNECTIONS = 1

# Who has the row of a counter keeps everybody else from recording it.
_HOLD = "SELECT id FROM recordings WHERE counter = '{counter}' FOR UPDATE"


@dataclass(frozen=True)
class Backlog:
    """Visits that waited."""

    title: str
    visits: int
    bytes: int

    @property
    def bytes_each(self) -> float:
        return self.bytes / self.visits


def measure(stage: Stage) -> list[Backlog]:
    """Keeps visits of each kind, that come one by one, from being recorded, and looks at what they take."""
    return [_measure(stage, point) for point in (PLAIN, FIVE)]


def _measure(stage: Stage, point: Point) -> Backlog:
    with stage.database.transaction(_HOLD.format(counter=point.counter)):
        load(stage, replace(point, connections=_CONNECTIONS), _SECONDS)
        waiting = stage.redis.waiting(point.counter).visits
        size = stage.redis.size(f"footfall:{{{point.counter}}}:visits")
    if not waiting:
        raise BenchError(f"{point.title}: no visit waited to be recorded")
    stage.wait_until_drained(point.counter)
    return Backlog(point.title, waiting, size)
