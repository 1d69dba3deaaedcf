"""`bench/identities.sh`"""

from random import Random

from ..markdown import table
from ..plans import CONNECTIONS
from ..processes import Supervisor
from ..scaling.measure import measure
from ..scaling.points import SHIPPED, Point
from ..scaling.stage import FIRST_PORT, Stage

_SECONDS = 3.0
_CONNECTIONS = (8, CONNECTIONS)


def main(_: str | None, seed: int | None) -> None:
    every = [
        Point("identities", series, connections, SHIPPED, connections, identities=identities)
        for connections in _CONNECTIONS
        for series, identities in (("without identity", False), ("each with one", True))
    ]
    rows = {}
    with Supervisor(FIRST_PORT) as supervisor:
        stage = Stage(supervisor, every)
        for point in Random(seed).sample(every, len(every)):
            rows[point] = _row(stage, point)
    head = [
        "Visits", "Connections", "Visits per second", "Bytes of Redis memory per visit",
        "µs of CPU per visit, Redis' main thread",
    ]  # fmt: skip
    print(table(head, (rows[point] for point in every)), end="")


def _row(stage: Stage, point: Point) -> list[str]:
    stage.redis.forget_identities("visits")
    sample = measure(stage, point, _SECONDS)
    remembered = stage.redis.identities("visits")
    size = remembered.size / remembered.number if remembered.number else 0.0
    return [
        point.series,
        str(point.connections),
        f"{sample.per_second:.0f}",
        f"{size:.1f}",
        f"{sample.redis_us:.2f}",
    ]
