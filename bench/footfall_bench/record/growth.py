"""What so many visits a day come to: the record's part of docs/scaling.md. Arithmetic on what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..markdown import number, table
from .points import FIVE, PLAIN, Point
from .session import Session

# What the page has a place for.
PART = "record"

_A_DAY = (1_000_000, 100_000_000, 10_000_000_000)
_SECONDS_OF_A_DAY = 86_400
# The busiest hour is so much busier than the day.
_PEAK = 3
# As `FOOTFALL_RECORD_BACKLOG` and `retention_days` are, unless they are set.
_BACKLOG_VISITS = 1_000_000
_BACKLOG_BYTES = 256 << 20
_RETENTION_DAYS = 400
# For how long PostgreSQL may be away.
_AWAY_SECONDS = 600


@dataclass(frozen=True)
class Cost:
    """What a visit of a kind costs."""

    point: Point
    server_us: float
    redis_us: float
    database_us: float
    # In Redis while it waits, and in PostgreSQL.
    waiting_bytes: float
    bytes: float


def costs(session: Session) -> list[Cost]:
    """Of plain visits and of those with five fields. Of sizes that were seen the larger counts."""
    waiting = {backlog.title: backlog.bytes_each for backlog in session.backlogs}
    five, plain = (size.bytes_each for size in session.sizes)
    alone = session.plain_of_year()
    return [
        Cost(
            point,
            *(session.median(point, figure) for figure in ("server_us", "redis_us", "database_us")),
            waiting[point.title],
            kept,
        )
        for point, kept in ((PLAIN, max(plain, alone)), (FIVE, five))
    ]


def _tables(session: Session) -> str:
    """Both tables."""
    every = costs(session)
    head = [
        "visit", "server µs", "Redis µs", "PostgreSQL µs", "bytes in Redis while it waits", "bytes in PostgreSQL",
    ]  # fmt: skip
    of_one = table(
        head,
        (
            [
                cost.point.title,
                number(cost.server_us),
                number(cost.redis_us),
                number(cost.database_us),
                number(cost.waiting_bytes),
                number(cost.bytes),
            ]
            for cost in every
        ),
    )
    head = [
        "visits a day", "visit", "per second, peak", "cores of replicas", "cores of Redis", "cores of PostgreSQL",
        f"Redis, {_AWAY_SECONDS // 60} minutes without PostgreSQL", "until one counter is behind",
        f"PostgreSQL, {_RETENTION_DAYS} days",
    ]  # fmt: skip
    rows = [_row(visits, cost) for visits in _A_DAY for cost in every]
    return "\n".join([of_one, table(head, rows)])


def _row(visits: int, cost: Cost) -> list[str]:
    rate = visits * _PEAK / _SECONDS_OF_A_DAY
    room = min(_BACKLOG_VISITS, _BACKLOG_BYTES / cost.waiting_bytes)
    return [
        f"{visits:,}",
        cost.point.title,
        number(rate),
        *(number(rate * us / 1e6) for us in (cost.server_us, cost.redis_us, cost.database_us)),
        _size(rate * _AWAY_SECONDS * cost.waiting_bytes),
        _time(room / rate),
        _size(visits * _RETENTION_DAYS * cost.bytes),
    ]


def _size(size: float) -> str:
    for unit, limit in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= limit:
            return f"{number(size / limit)} {unit}"
    return f"{number(size / 1e3)} kB"


def _time(seconds: float) -> str:
    for unit, limit in (("h", 3600), ("min", 60)):
        if seconds >= limit:
            return f"{number(seconds / limit)} {unit}"
    return f"{number(seconds)} s"


def blocks(session: Session, meta: Mapping[str, Any]) -> dict[str, str]:
    """The parts of docs/scaling.md, by their names."""
    return {PART: f"Revision {meta['revision']}, {meta['date']}.\n\n{_tables(session)}"}
