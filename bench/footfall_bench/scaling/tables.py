"""The generated parts of docs/scaling.md."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from ..markdown import number, share, table
from ..quiet import quietness
from .model import (
    BATCH_SECONDS,
    CORES_OF_A_MACHINE,
    DEDUP_LIMIT,
    MAXMEMORY_BYTES,
    WINDOW_SECONDS,
    Demand,
    Line,
    Model,
    demands,
    fitted_points,
)
from .points import Point
from .session import Session
from .targets import targets
from .windows import RATE, Window

_FIGURES = (
    ("per second", "per_second"),
    ("calls of Redis per visit", "redis_calls"),
    ("Redis µs per visit, main thread", "redis_us"),
    ("server µs per visit", "server_us"),
    ("closed-loop p50 µs", "closed_loop_p50_us"),
    ("closed-loop p99 µs", "closed_loop_p99_us"),
)
_SHARES = (("Redis at work", "redis_busy"), ("load", "load_share"))


# What the page has places for.
PARTS = ("origin", "targets", "concurrency", "replicas", "counters", "windows", "distance", "model")


def blocks(session: Session, model: Model, meta: Mapping[str, Any]) -> dict[str, str]:
    """The parts by their names in the page."""
    counters = _varied(session, "counters", "counters") + "\n" + _per_counter(session, meta)
    texts = (
        _origin(session, meta),
        _targets(session, meta),
        _varied(session, "concurrency", "connections"),
        _varied(session, "replicas", "replicas"),
        counters,
        _windows(session),
        _varied(session, "distance", "ms added"),
        _model(session, model),
    )
    return dict(zip(PARTS, texts, strict=True))


def _origin(session: Session, meta: Mapping[str, Any]) -> str:
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, which "
        f"replicas, Redis {meta['versions']['Redis']} and load share. Medians of {meta['repetitions']} rounds in "
        f"orders of their own (seed {meta['seed']}), {meta['seconds']} s for each measurement; ± is half the distance "
        f"between the lowest and the highest. {quietness(session.foreign_share())}\n"
    )


def _targets(session: Session, meta: Mapping[str, Any]) -> str:
    who = (
        f"The earlier revision is `{meta['previous']}`; ratios are those of each round, and of these the median.\n"
        if meta["previous"]
        else "No earlier revision took part: `BENCH_PREVIOUS` names the program of one.\n"
    )
    rows = (target.row() for target in targets(session))
    return table(["Target", "Limit", "Measured", ""], rows) + "\n" + who


def _varied(session: Session, experiment: str, varied: str) -> str:
    points = session.experiment(experiment)
    several = len({point.series for point in points}) > 1
    head = [
        varied,
        *([""] if several else []),
        "per second",
        "±",
        *(title for title, _ in (*_FIGURES[1:], *_SHARES)),
    ]

    def row(point: Point) -> list[str]:
        spread = session.spread(point, "per_second")
        return [
            f"{point.x:,}",
            *([point.series] if several else []),
            number(spread.median),
            f"{spread.percent:.0f} %",
            *(number(session.median(point, figure)) for _, figure in _FIGURES[1:]),
            *(share(session.median(point, figure)) for _, figure in _SHARES),
        ]

    ordered = sorted(points, key=lambda point: (point.series, point.x))
    return table(head, map(row, ordered))


def _per_counter(session: Session, meta: Mapping[str, Any]) -> str:
    return (
        f"A counter takes {session.bytes_per_counter:.0f} bytes of Redis' memory, its name in the index included "
        f"({meta['counters']:,} of them, with names of 9 letters and digits).\n"
    )


def _windows(session: Session) -> str:
    by_seconds: dict[int, list[Window]] = {}
    for window in session.windows:
        by_seconds.setdefault(window.seconds, []).append(window)

    def row(seconds: int, windows: list[Window]) -> list[str]:
        return [
            f"{seconds} s",
            f"{RATE:,}",
            f"{median(window.identities for window in windows):,.0f}",
            f"{median(window.windows for window in windows):.2f}",
            f"{median(window.megabytes for window in windows):.2f}",
            f"{min(window.fewest_bytes for window in windows):.0f} to "
            f"{max(window.most_bytes for window in windows):.0f}",
        ]

    head = [
        "window",
        "visits per second",
        "most remembered",
        "that is, windows",
        "MB",
        "bytes each",
    ]
    return table(head, (row(*each) for each in by_seconds.items()))


def _model(session: Session, model: Model) -> str:
    """What the costs come to. Everything here is arithmetic on the tables above."""
    shortest, longest = model.batch_seconds
    _, most_bytes = model.bytes_each
    fewest_calls = min(session.median(p, "redis_calls") for p in fitted_points(session))
    nginx = (
        "The comparison has not been published yet, so nginx is left out."
        if model.nginx_us is None
        else f"nginx takes {number(model.nginx_us)} µs of CPU per visit ([results](benchmarks/results.md))."
    )
    costs = table(
        ["µs per visit", "for each call", "for each visit", "off by, median", "at the most"],
        [
            _line("CPU of Redis", model.redis_cpu),
            _line("time of Redis, with waiting for the disk", model.redis_wall),
            _line("CPU of replicas", model.server),
        ],
    )
    ceilings = (
        f"A batch of a worker was under way for {shortest * 1e3:.2g} to {longest * 1e3:.2g} ms; for the best case it "
        f"is {BATCH_SECONDS * 1e3:.2g} ms. {nginx} "
        f"With as few calls as were measured ({number(fewest_calls)} per visit), one Redis, and so **one counter**, "
        f"ends at {_ceiling(model.redis_wall, fewest_calls)} visits per second with its disk, and would at "
        f"{_ceiling(model.redis_cpu, fewest_calls)} if only CPU counted; with a call for each visit, at "
        f"{_ceiling(model.redis_wall, 1.0)} and {_ceiling(model.redis_cpu, 1.0)}. "
        f"Two windows of {WINDOW_SECONDS} s reach `FOOTFALL_DEDUP_LIMIT` at "
        f"{number(DEDUP_LIMIT / 2 / WINDOW_SECONDS)} visits per second of one counter, and the shipped `maxmemory` at "
        f"{number(MAXMEMORY_BYTES / 2 / WINDOW_SECONDS / most_bytes)} of one Redis."
    )
    head = [
        "visits per second", "case", "calls per visit", "Redis masters", "cores of Redis",
        "cores of replicas", "cores of nginx", f"machines of {CORES_OF_A_MACHINE} cores",
        f"identities, {WINDOW_SECONDS} s window", "",
    ]  # fmt: skip
    rows = [
        _demand(model, case, demand)
        for pair in demands(model)
        for case, demand in zip(("best", "worst"), pair, strict=True)
    ]
    return "\n".join([costs, ceilings + "\n", table(head, rows)])


def _line(title: str, line: Line) -> list[str]:
    return [
        title,
        number(line.per_call),
        number(line.per_visit),
        share(line.deviation),
        share(line.worst_deviation),
    ]


def _ceiling(line: Line, calls: float) -> str:
    """Rounded: it is worth no more than two digits."""
    return f"{float(f'{1e6 / line.at(calls):.2g}'):,.0f}"


def _demand(model: Model, case: str, demand: Demand) -> list[str]:
    low, high = demand.identities_bytes(model.bytes_each)
    marks = []
    if case == "best" and demand.too_many_for_a_counter():
        marks.append("above `FOOTFALL_DEDUP_LIMIT`")
    if demand.too_large_for_a_master(model.bytes_each):
        marks.append("above `maxmemory`")
    return [
        f"{demand.rate:,}",
        case,
        number(demand.calls),
        str(demand.masters),
        number(demand.redis_cores),
        number(demand.server_cores),
        "–" if demand.nginx_cores is None else number(demand.nginx_cores),
        str(demand.machines),
        f"{number(low / 1e6)} to {number(high / 1e6)} MB",
        ", ".join(marks),
    ]
