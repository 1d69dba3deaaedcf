"""What is to be reached with Redis at a distance and with many counters."""

from collections.abc import Iterator

from ..plans import CONNECTIONS
from ..targets import Target
from .points import HOT_AMONG, SHIPPED, Point, before, distant
from .session import Session

# Within the noise of a run.
_NO_SLOWER = 0.95


def targets(session: Session) -> Iterator[Target]:
    """All of them; those against an earlier revision only where one took part."""
    for milliseconds, limit in ((1, 2), (20, 25)):
        point = _distance(session, distant(milliseconds))
        yield Target(
            f"p50 with Redis at {milliseconds} ms, {CONNECTIONS} connections", limit, True,
            session.median(point, "closed_loop_p50_us") / 1000, " ms",
        )  # fmt: skip
    if not any(point.instance == before(SHIPPED) for point in session.samples):
        return
    for milliseconds, limit in ((1, 1.6), (0, _NO_SLOWER)):
        points = [_distance(session, instance) for instance in (distant(milliseconds), before(distant(milliseconds)))]
        yield _at_least(session, f"Visits per second with Redis at {milliseconds} ms", points, limit)
    for counters, limit in ((HOT_AMONG, 1.4), (1, _NO_SLOWER)):
        points = [_counters(session, instance, counters) for instance in (SHIPPED, before(SHIPPED))]
        yield _at_least(session, f"Visits per second on {counters:,} counter{'s' * (counters > 1)}", points, limit)
    points = [_counters(session, instance, HOT_AMONG) for instance in (SHIPPED, before(SHIPPED))]
    yield Target(
        f"Redis CPU of a visit on {HOT_AMONG:,} counters, times the earlier revision's", 0.5, True,
        session.ratio(*points, "redis_us").median, "",
    )  # fmt: skip


def _at_least(session: Session, text: str, points: list[Point], limit: float) -> Target:
    now, then = points
    ratio = session.ratio(now, then, "per_second").median
    return Target(f"{text}, times the earlier revision's", limit, False, ratio, "")


def _distance(session: Session, instance: str) -> Point:
    return next(
        point
        for point in session.experiment("distance")
        if (point.instance, point.connections) == (instance, CONNECTIONS)
    )


def _counters(session: Session, instance: str, counters: int) -> Point:
    return next(
        point
        for point in session.experiment("counters")
        if (point.instance, point.counters, point.hot) == (instance, counters, 0.0)
    )
