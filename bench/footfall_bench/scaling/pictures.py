"""The pictures of docs/scaling.md."""

from collections.abc import Iterator

from .. import plots
from .session import Session

_PICTURES = (
    ("concurrency", "redis_us", "Redis' work for a visit", "connections", "µs of CPU"),
    ("concurrency", "redis_calls", "Calls of Redis for a visit", "connections", "calls"),
    ("replicas", "redis_calls", "Calls of Redis for a visit, 64 connections", "replicas", "calls"),
    ("replicas", "per_second", "Visits, 64 connections", "replicas of one worker", "per second"),
    ("counters", "per_second", "Visits, spread over counters", "counters", "per second"),
    (
        "distance",
        "per_second",
        "Visits, with Redis at a distance",
        "ms added to a round trip",
        "per second",
    ),
)


def pictures(session: Session) -> Iterator[tuple[str, str]]:
    """File names and what is in them."""
    for experiment, figure, title, x_title, y_title in _PICTURES:
        yield (
            f"scaling-{experiment}-{figure.replace('_', '-')}.svg",
            plots.lines(
                title,
                (x_title, y_title),
                _series(session, experiment, figure),
                ticks=sorted({(float(p.x), f"{p.x:,}") for p in session.experiment(experiment)}),
                logarithmic=experiment != "distance",
            ),
        )


def _series(
    session: Session, experiment: str, figure: str
) -> dict[str, tuple[list[float], list[float]]]:
    series: dict[str, tuple[list[float], list[float]]] = {}
    for point in sorted(session.experiment(experiment), key=lambda point: point.x):
        xs, ys = series.setdefault(point.series, ([], []))
        xs.append(point.x)
        ys.append(session.median(point, figure))
    return series
