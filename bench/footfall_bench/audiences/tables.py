"""The page of a session: docs/benchmarks/audiences.md."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..markdown import number, section, table
from ..quiet import quietness
from ..spread import Spread
from ..targets import Target
from . import visits_sql
from .measure import Sample
from .questions import EVERYBODY, FEW, PROPERTY, TWO, WHOLE
from .session import TIMES, Session

# How long the first question may take, in ms, by database.
_FIRST = {"PostgreSQL": 1000, "SQLite": 2000}


def page(session: Session, meta: Mapping[str, Any]) -> str:
    """All of it."""
    head = (
        "# Audiences\n\n"
        "How fast audiences are counted and their members listed. Made by `./bench/audiences.sh`; "
        "[what is measured how](README.md#audiences). Figures are medians.\n\n"
        f"{_origin(session, meta)}\n"
    )
    sections = [
        section("Targets", table(["Target", "Limit", "Measured", ""], _target_rows(session))),
        section(f"Counting, of {session.visits:,} visits", _answers(session)),
        section("Members", _lists(session)),
    ]
    return "\n".join([head, *sections])


def targets(session: Session) -> Iterator[Target]:
    """What is to be reached, in this run."""
    for title, seen in session.seen.items():
        yield Target(
            f"Two counters and one exclusion, 30 days, the first question of all, {title}",
            _FIRST[title], True, _median(seen.first), " ms",
        )  # fmt: skip
    for title, seen in session.seen.items():
        yield Target(
            f"The same of whole days, from bitmaps, {title}", 100, True, _median(seen.answers[WHOLE]), " ms"
        )
    for title, seen in session.seen.items():
        yield Target(
            f"The same with a property, {title}", 3000, True, _median(seen.answers[PROPERTY]), " ms"
        )
    for title, seen in session.seen.items():
        first_byte = Spread.of(one.first_byte_milliseconds for one in seen.lists[EVERYBODY])
        yield Target(f"The first byte of members, {title}", 300, True, first_byte.median, " ms")


def _median(samples: Sequence[Sample]) -> float:
    """Infinite if any was given up."""
    if any(sample.size is None for sample in samples):
        return math.inf
    return Spread.of(sample.milliseconds for sample in samples).median


def _target_rows(session: Session) -> Iterator[list[str]]:
    return (target.row() for target in targets(session))


def _origin(session: Session, meta: Mapping[str, Any]) -> str:
    neighbours = quietness(session.foreign_share(), "trust CPU, and not elapsed time")
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, PostgreSQL "
        f"{meta['postgresql']}, as it is shipped. {meta['repetitions']} rounds in orders of their own (seed "
        f"{meta['seed']}). {neighbours}"
    )


def _answers(session: Session) -> str:
    head = [
        "audience", "members", "database", "ms, median", "fastest", "slowest", "CPU ms, service and database",
        "given up",
    ]  # fmt: skip
    rows = []
    for title, seen in session.seen.items():
        two = session.questions[TWO].title
        size = _size(session, TWO)
        rows.append([f"{two}, the first question of all", size, title, *_figures(seen.first)])
        for name, question in session.questions.items():
            figures = _figures(seen.answers[name])
            rows.append([question.title, _size(session, name), title, *figures])
        rows.append([f"{two}, nothing summed up", size, title, *_figures(seen.rows)])
    return table(head, rows) + (
        f"\n{visits_sql.DAYS} days from noon to noon: the halves of two days are looked at visit by visit, as are all "
        f"visits where there is a property, or nothing is summed up. Each question is asked {TIMES} times in a round.\n"
    )


def _size(session: Session, name: str) -> str:
    size = session.size(name)
    return "–" if size is None else f"{size:,}"


def _figures(samples: Sequence[Sample]) -> list[str]:
    milliseconds = Spread.of(sample.milliseconds for sample in samples)
    cpu = Spread.of(sample.cpu_milliseconds for sample in samples)
    given_up = sum(sample.size is None for sample in samples)
    return [
        *(number(one) for one in (milliseconds.median, milliseconds.low, milliseconds.high, cpu.median)),
        f"{given_up} of {len(samples)}" if given_up else "–",
    ]


def _lists(session: Session) -> str:
    head = ["members", "database", "first byte, ms", "slowest", "members per second", "memory, MB"]
    rows = []
    for title, seen in session.seen.items():
        for name in (FEW, EVERYBODY):
            lists = seen.lists[name]
            first = Spread.of(one.first_byte_milliseconds for one in lists)
            others = (
                first.median,
                first.high,
                Spread.of(one.members / one.seconds for one in lists).median,
                Spread.of(one.memory_mb for one in lists).median,
            )
            rows.append([_size(session, name), title, *map(number, others)])
    return table(head, rows) + (
        "\nMemory is the most that the service took for the list, above what it had before.\n"
    )
