"""The page of a session: docs/benchmarks/record.md."""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from ..markdown import number, section, share, table
from ..quiet import quietness
from ..spread import Spread
from ..targets import Target
from .keeping_up import RATE
from .points import FIVE, LINES, MANY, OFF, PLAIN, POINTS
from .session import Session
from .year import REPETITIONS, Answer


def page(session: Session, meta: Mapping[str, Any]) -> str:
    """All of it."""
    head = (
        "# The record\n\n"
        "What it costs to record visits, how fast they are written and how fast they are read. Made by "
        "`./bench/record.sh`; [what is measured how](README.md#the-record). Figures are medians; ± is half "
        f"the distance between the lowest and the highest.\n\n{_origin(session, meta)}\n"
    )
    sections = [
        section("Targets", table(["Target", "Limit", "Measured", ""], _target_rows(session))),
        section("Counting", _counting(session)),
        section(f"{RATE:,} visits with five fields per second", _keeping_up(session)),
        section("What a visit takes", _sizes(session)),
        section(f"Reading a year of {session.year.visits:,} visits", _answers(session)),
    ]
    return "\n".join([head, *sections])


def targets(session: Session) -> list[Target]:
    """What is to be reached, in this run."""
    answers = session.year.answers
    five, plain = (size.bytes_each for size in session.sizes)
    slow = [one for one in session.keeping_up if one.per_second < 0.99 * RATE]
    behind = max(one.worst_seconds for one in session.keeping_up) if not slow else float("inf")
    return [
        Target(
            "Server CPU of a plain visit, times that with recording off", 1.1, True,
            session.ratio(PLAIN, OFF, "server_us").median, "",
        ),
        Target(
            "Redis CPU of a plain visit, above that with recording off", 1, True,
            session.difference(PLAIN, OFF, "redis_us").median, " µs",
        ),
        Target(
            "Server CPU of a visit with five fields, times a plain one's", 1.5, True,
            session.ratio(FIVE, PLAIN, "server_us").median, "",
        ),
        Target(
            f"Visits per second, {LINES} in a request, times single requests'", 5, False,
            session.ratio(MANY, FIVE, "per_second").median, "",
        ),
        Target(
            f"Server CPU of a visit, {LINES} in a request, times a single request's", 0.35, True,
            session.ratio(MANY, FIVE, "server_us").median, "",
        ),
        Target(
            f"Longest wait to be recorded, at {RATE:,} visits with five fields per second", 2, True, behind, " s",
        ),
        Target("A visit with five fields in PostgreSQL", 250, True, five, " bytes"),
        Target("A plain visit in PostgreSQL", 20, True, max(plain, session.plain_of_year()), " bytes"),
        *_reading_targets(answers),
    ]  # fmt: skip


def _reading_targets(answers: list[Answer]) -> Iterator[Target]:
    limits = (
        ("history", "History of a year by day", 50),
        ("text", "Values of a month", 200),
        ("property", "Values of a month, of a property", 200),
    )
    for kind, text, limit in limits:
        asked = [one for one in answers if one.kind == kind]
        slowest = max(one.milliseconds.median for one in asked)
        if any(one.unanswered for one in asked):
            slowest = float("inf")
        yield Target(text, limit, True, slowest, " ms")


def _target_rows(session: Session) -> Iterator[list[str]]:
    return (target.row() for target in targets(session))


def _origin(session: Session, meta: Mapping[str, Any]) -> str:
    trust = "trust ratios and CPU, and neither throughput nor elapsed time"
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, which the service, "
        f"Redis {meta['versions']['Redis']}, PostgreSQL {meta['postgresql']} and the load share. {meta['repetitions']} rounds in orders of "
        f"their own (seed {meta['seed']}), in each two turns of {meta['seconds']} s for each load. "
        f"{quietness(session.foreign_share(), trust)}"
    )


def _counting(session: Session) -> str:
    head = [
        "visits", "per second", "±", "server µs", "±", "Redis µs, main thread", "calls of Redis to count",
        "PostgreSQL µs", "load",
    ]  # fmt: skip

    def row(point: Any) -> list[str]:
        spreads = [session.spread(point, figure) for figure in ("per_second", "server_us")]
        figures = [text for spread in spreads for text in _both(spread)]
        others = ("redis_us", "redis_calls", "database_us")
        return [
            point.title,
            *figures,
            *(number(session.median(point, figure)) for figure in others),
            share(session.median(point, "load_share")),
        ]

    return table(head, map(row, POINTS)) + (
        "\nAll CPU is per visit, and that of recording it is part of it: a measurement is over when all of it is in "
        "PostgreSQL. Where nothing is recorded, PostgreSQL is still asked whether something waits. "
        f"Of plain visits {number(1 / session.median(OFF, 'redis_calls'))} share a call of Redis with recording off, "
        f"{number(1 / session.median(PLAIN, 'redis_calls'))} with it on.\n"
    )


def _both(spread: Spread) -> list[str]:
    return [number(spread.median), f"{spread.percent:.0f} %"]


def _keeping_up(session: Session) -> str:
    seen = session.keeping_up
    row = [
        number(median(one.per_second for one in seen)),
        number(median(one.median_seconds for one in seen)),
        number(median(one.worst_seconds for one in seen)),
        number(max(one.worst_seconds for one in seen)),
        f"{max(one.most_waiting for one in seen):,}",
        share(median(one.foreign_share for one in seen)),
    ]
    head = [
        "per second", "oldest visit waits, s", "at the worst moment, s", "of all times, s",
        "most that waited", "CPU of other programs",
    ]  # fmt: skip
    return table(head, [row])


def _sizes(session: Session) -> str:
    head = ["visits", "how many", "bytes each", "rows", "times", "marks", "texts", "visitors", "others"]
    rows = [
        [
            size.title,
            f"{size.visits:,}",
            number(size.bytes_each),
            *(number(size.of(name)) for name in ("visits", "runs", "marks", "texts", "visitors")),
            number(size.of("recorded_identities", "recordings")),
        ]
        for size in session.sizes
    ]
    return table(head, rows) + (
        f"\nWith their indexes, as they are after the load, before anything is vacuumed. The year below, whose visits "
        f"come one by one, takes {number(session.plain_of_year())} bytes each for times and marks. "
        f"While they wait in Redis, {' and '.join(_waiting(session))}.\n"
    )


def _waiting(session: Session) -> Iterator[str]:
    for one in session.backlogs:
        yield f"a visit ({one.title}) takes {number(one.bytes_each)} bytes there"


def _answers(session: Session) -> str:
    head = ["answer", "ms, median", "fastest", "slowest", "CPU ms, service and PostgreSQL", "given up"]
    rows = [
        [
            one.title,
            number(one.milliseconds.median),
            number(one.milliseconds.low),
            number(one.milliseconds.high),
            number(one.cpu_milliseconds),
            f"{one.unanswered} of {REPETITIONS}" if one.unanswered else "–",
        ]
        for one in session.year.answers
    ]
    return table(head, rows)
