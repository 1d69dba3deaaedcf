"""The page of a session: docs/benchmarks/console.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..markdown import number, section, table
from ..quiet import quietness
from ..spread import Spread
from ..targets import Target
from .counters_sql import PEOPLE
from .measure import RATE, Sample
from .pages import ROOT, Page
from .session import Seen, Session
from .streams import STREAMS

_PAGE_MS = 20
_HOME_KB = 60
_CORE_PERCENT = 5
_COUNTING_PERCENT = 3


def page(session: Session, meta: Mapping[str, Any]) -> str:
    """All of it."""
    head = (
        "# The console\n\n"
        "How fast its pages are made, what they weigh, and what live numbers cost. Made by `./bench/console.sh`; "
        "[what is measured how](README.md#the-console). Figures are medians; ± is half the distance between the "
        f"lowest and the highest.\n\n{_origin(session, meta)}\n"
    )
    sections = [
        section("Targets", table(["Target", "Limit", "Measured", ""], _target_rows(session))),
        section(f"{STREAMS} live pages", _live(session)),
        section("Pages", _pages(session, is_long=False)),
        section("What pages do not wait for", _pages(session, is_long=True)),
    ]
    return "\n".join([head, *sections])


def targets(session: Session) -> Iterator[Target]:
    """What is to be reached, in this run."""
    for title, seen in session.seen.items():
        slowest = max(_shown(seen, is_long=False), key=lambda page: _median(seen, page))
        text = f"Every page, the slowest: {_name(slowest)}, {title}"
        yield Target(text, _PAGE_MS, True, _median(seen, slowest), " ms")
    for title, seen in session.seen.items():
        text = f"Home with all that it loads, {title}"
        yield Target(text, _HOME_KB, True, seen.bytes / 1000, " kB")
    for title, seen in session.seen.items():
        text = f"{STREAMS} live pages, of a core, {title}"
        yield Target(text, _CORE_PERCENT, True, _of_a_core(seen).median, " %")
    for title, seen in session.seen.items():
        text = f"Fewer visits per second with {STREAMS} live pages, {title}"
        yield Target(text, _COUNTING_PERCENT, True, _fewer(seen).median, " %")


def _target_rows(session: Session) -> Iterator[list[str]]:
    return (target.row() for target in targets(session))


def _of_a_core(seen: Seen) -> Spread:
    """What live pages take of one, in %: pair by pair, since these have the same neighbours."""
    pairs = zip(seen.paced[True], seen.paced[False], strict=True)
    return Spread.of(100 * (live.cpu_share - alone.cpu_share) for live, alone in pairs)


def _fewer(seen: Seen) -> Spread:
    pairs = zip(seen.full[True], seen.full[False], strict=True)
    return Spread.of(100 * (1 - live.per_second / alone.per_second) for live, alone in pairs)


def _origin(session: Session, meta: Mapping[str, Any]) -> str:
    trust = "trust CPU and bytes, and neither elapsed time nor throughput"
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, which the service, Redis "
        f"{meta['versions']['Redis']}, PostgreSQL {meta['postgresql']} and the load share. {session.counters:,} counters "
        f"beside the three that have {session.visits:,} visits, {PEOPLE:,} people. {meta['repetitions']} rounds in "
        f"orders of their own (seed {meta['seed']}). {quietness(session.foreign_share(), trust)}"
    )


def _live(session: Session) -> str:
    head = [
        "visits", "pages", "database", "per second", "±", "service, of a core", "server µs per visit", "events per second",
    ]  # fmt: skip
    rows = []
    for title, seen in session.seen.items():
        loads = ((f"{RATE:,} per second", seen.paced), ("as many as there can be", seen.full))
        for name, samples in loads:
            for live, some in samples.items():
                events = number(Spread.of(seen.events).median) if live else "0"
                rows.append([name, str(STREAMS if live else 0), title, *_figures(some), events])
    return table(head, rows) + (
        "\nHalf of them are homes, whose sum of all counters is read anew each second; the others are pages of the "
        "counter that is counted on.\n"
    )


def _figures(samples: list[Sample]) -> list[str]:
    per_second = Spread.of(sample.per_second for sample in samples)
    cpu = Spread.of(100 * sample.cpu_share for sample in samples)
    server = Spread.of(sample.server_us for sample in samples)
    return [
        number(per_second.median),
        f"{per_second.percent:.0f} %",
        f"{number(cpu.median)} %",
        number(server.median),
    ]


def _pages(session: Session, *, is_long: bool) -> str:
    titles = list(session.seen)
    head = ["page", *(f"{title}, ms{what}" for title in titles for what in ("", ", slowest"))]
    every = {page for seen in session.seen.values() for page in _shown(seen, is_long)}
    rows = []
    for page in sorted(every, key=lambda page: page.kind):
        row = [_name(page)]
        for seen in session.seen.values():
            spread = Spread.of(seen.pages[page]) if page in seen.pages else None
            row += [number(spread.median), number(spread.high)] if spread else ["–", "–"]
        rows.append(row)
    return table(head, rows)


def _shown(seen: Seen, is_long: bool) -> list[Page]:
    return [page for page in seen.pages if page.is_long == is_long]


def _median(seen: Seen, page: Page) -> float:
    return Spread.of(seen.pages[page]).median


def _name(page: Page) -> str:
    return f"`{page.kind.removeprefix(ROOT) or 'home'}`"
