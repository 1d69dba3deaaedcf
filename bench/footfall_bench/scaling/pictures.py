"""The pictures of docs/scaling.md."""

from collections.abc import Iterator

from .. import plots
from .model import Line, Model, fitted_points
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


def pictures(session: Session, model: Model) -> Iterator[tuple[str, str]]:
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

    yield "scaling-model.svg", _model(session, model)


def _model(session: Session, model: Model) -> str:
    """The lines that the model draws, and what they are drawn through."""
    points = sorted(fitted_points(session), key=lambda p: session.median(p, "redis_calls"))
    measured = [session.median(point, "redis_calls") for point in points]
    calls = [*measured, 1.0]

    def fitted(line: Line) -> tuple[list[float], list[float]]:
        return calls, [line.at(some) for some in calls]

    def seen(figure: str) -> tuple[list[float], list[float]]:
        return measured, [session.median(point, figure) for point in points]

    series = {
        "CPU of Redis": fitted(model.redis_cpu),
        "time of Redis, with waiting for the disk": fitted(model.redis_wall),
        "CPU of replicas": fitted(model.server),
    }
    dots = {
        "CPU of Redis": seen("redis_us"),
        "time of Redis, with waiting for the disk": seen("redis_wall_us"),
        "CPU of replicas": seen("server_us"),
    }
    return plots.lines(
        "What a visit costs, by how many share a call: measured (dots) and fitted",
        ("calls of Redis per visit", "µs per visit"),
        series,
        dots=dots,
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
