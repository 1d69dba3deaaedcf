"""The generated parts of docs/scaling.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..markdown import number, share, table
from ..results import NOISY_SHARE
from .points import Point
from .session import Session
from .windows import RATE

_FIGURES = (
    ("per second", "per_second"),
    ("calls of Redis per visit", "redis_calls"),
    ("Redis µs per visit", "redis_us"),
    ("server µs per visit", "server_us"),
    ("p50 µs", "p50_us"),
    ("p99 µs", "p99_us"),
)


# What the page has places for.
PARTS = ("origin", "concurrency", "replicas", "counters", "windows", "distance", "model")


def blocks(session: Session, meta: Mapping[str, Any]) -> dict[str, str]:
    """The parts by their names in the page."""
    counters = _varied(session, "counters", "counters") + "\n" + _per_counter(session, meta)
    texts = (
        _origin(session, meta),
        _varied(session, "concurrency", "connections"),
        _varied(session, "replicas", "replicas"),
        counters,
        _windows(session),
        _varied(session, "distance", "ms added"),
        _model(session),
    )
    return dict(zip(PARTS, texts, strict=True))


def _origin(session: Session, meta: Mapping[str, Any]) -> str:
    foreign = session.foreign_share()
    warning = (
        ""
        if foreign.median < NOISY_SHARE
        else " **The machine was not quiet: do not trust this run.**"
    )
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, which "
        f"replicas, Redis {meta['versions']['Redis']} and load share. Medians of {meta['repetitions']} rounds in "
        f"orders of their own (seed {meta['seed']}), {meta['seconds']} s for each measurement; ± is half the distance "
        f"between the lowest and the highest. Other programs took {share(foreign.median)} of the CPU in the "
        f"median measurement and {share(foreign.high)} in the worst.{warning}\n"
    )


def _varied(session: Session, experiment: str, varied: str) -> str:
    points = session.experiment(experiment)
    several = len({point.series for point in points}) > 1
    head = [
        varied,
        *([""] if several else []),
        "per second",
        "±",
        *(title for title, _ in _FIGURES[1:]),
    ]

    def row(point: Point) -> list[str]:
        spread = session.spread(point, "per_second")
        return [
            f"{point.x:,}",
            *([point.series] if several else []),
            number(spread.median),
            f"{spread.percent:.0f} %",
            *(number(session.median(point, figure)) for _, figure in _FIGURES[1:]),
        ]

    ordered = sorted(points, key=lambda point: (point.series, point.x))
    return table(head, map(row, ordered))


def _per_counter(session: Session, meta: Mapping[str, Any]) -> str:
    return (
        f"A counter takes {session.bytes_per_counter:.0f} bytes of Redis' memory, its name in the index included "
        f"({meta['counters']:,} of them, with names of 9 letters and digits).\n"
    )


def _windows(session: Session) -> str:
    head = [
        "window",
        "visits per second",
        "most remembered",
        "that is, windows",
        "MB",
        "bytes each",
    ]
    rows = (
        [
            f"{window.seconds} s",
            f"{RATE:,}",
            f"{window.identities:,}",
            f"{window.windows:.2f}",
            f"{window.megabytes:.2f}",
            f"{window.bytes_each:.1f}",
        ]
        for window in session.windows
    )
    return table(head, rows)


def _model(session: Session) -> str:
    """What the costs come to. Everything here is arithmetic on the tables above."""
    head = [
        "visits per second",
        "cores of Redis",
        "cores of replicas",
        "identities in Redis, 60 s window",
    ]
    costs = _costs(session)
    return (
        f"With identities and {costs['connections']:.0f} connections, a visit costs "
        f"{costs['redis_us']:.2f} µs of Redis and {costs['server_us']:.2f} µs of a replica. One core, and so one Redis, "
        f"would be full at {number(1e6 / costs['redis_us'])} visits per second; one core of replicas carries "
        f"{number(1e6 / costs['server_us'])}.\n\n" + table(head, _demand(costs))
    )


def _costs(session: Session) -> dict[str, float]:
    busiest = max(
        (point for point in session.experiment("concurrency") if point.identities),
        key=lambda point: point.x,
    )
    return {
        "connections": busiest.x,
        "redis_us": session.median(busiest, "redis_us"),
        "server_us": session.median(busiest, "server_us"),
        "bytes": session.windows[-1].bytes_each,
    }


def _demand(costs: Mapping[str, float]) -> Iterator[Sequence[str]]:
    for rate in (1_000, 10_000, 100_000, 1_000_000):
        once, twice = (rate * seconds * costs["bytes"] / 1e6 for seconds in (60, 120))
        yield [
            f"{rate:,}",
            number(rate * costs["redis_us"] / 1e6),
            number(rate * costs["server_us"] / 1e6),
            f"{number(once)} to {number(twice)} MB",
        ]
