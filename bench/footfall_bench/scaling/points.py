"""What is measured."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..plans import CONNECTIONS, Plan

CONCURRENCIES = (1, 4, 16, 64, 256)
REPLICAS = (1, 2, 4, 8, 16)
# Added to each round trip to Redis.
DISTANCES_MS = (0, 1, 5, 20)
DISTANT_CONNECTIONS = (64, 256)
# With so many counters one of them gets this share of the visits.
HOT_AMONG = 1_000
HOT_SHARE = 0.9

# Instances: one replica as shipped, a row of replicas of one worker each, one for each distance.
SHIPPED = "shipped"
ROW = "row"

# The same of an earlier revision, if one takes part.
BEFORE = "before-"


def distant(milliseconds: int) -> str:
    """The replica that is so far from Redis."""
    return f"distant-{milliseconds}"


def before(instance: str) -> str:
    """That of the earlier revision."""
    return f"{BEFORE}{instance}"


@dataclass(frozen=True)
class Point:
    """One thing to measure: a load and who bears it."""

    experiment: str
    series: str
    # What is varied: the place on the x axis.
    x: int
    instance: str
    connections: int = CONNECTIONS
    # The first so many of the instance.
    replicas: int = 1
    identities: bool = True
    # 0: the counter behind /api/count.
    counters: int = 0
    hot: float = 0.0


def points(plan: Plan, *, with_previous: bool) -> Iterator[Point]:
    """All of them."""
    yield from _points(plan)
    if with_previous:
        yield from _points_before()


def _points_before() -> Iterator[Point]:
    """What is to be compared with an earlier revision."""
    for counters in (1, HOT_AMONG):
        yield Point(
            "counters", "evenly, before", counters, before(SHIPPED), identities=False, counters=counters
        )
    for milliseconds in DISTANCES_MS:
        series = f"{CONNECTIONS} connections, before"
        yield Point("distance", series, milliseconds, before(distant(milliseconds)))


def _points(plan: Plan) -> Iterator[Point]:
    for connections in CONCURRENCIES:
        for identities in (False, True):
            series = "with identities" if identities else "without identities"
            yield Point(
                "concurrency", series, connections, SHIPPED, connections, identities=identities
            )
    for replicas in REPLICAS:
        yield Point("replicas", "with identities", replicas, ROW, replicas=replicas)
    for counters in (1, HOT_AMONG, plan.counters):
        yield Point("counters", "evenly", counters, SHIPPED, identities=False, counters=counters)
    yield Point(
        "counters", f"{HOT_SHARE:.0%} on one", HOT_AMONG, SHIPPED,
        identities=False, counters=HOT_AMONG, hot=HOT_SHARE,
    )  # fmt: skip
    for connections in DISTANT_CONNECTIONS:
        for milliseconds in DISTANCES_MS:
            series = f"{connections} connections"
            yield Point("distance", series, milliseconds, distant(milliseconds), connections)
