"""One session: each database in rounds, each with a start of its own; pages first, then counting with pages open."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from .. import progress
from ..audiences.stage import KINDS, AnyStage, open_stage, sum_up
from ..clock import Clock
from ..plans import Plan
from ..processes import Supervisor
from ..record.stage import FIRST_PORT
from ..spread import Spread
from . import pages, stage, streams
from .measure import RATE, Sample, measure
from .pages import ROOT, Page
from .reader import Reader

# Pairs of measurements of counting in a round: at a rate, and as fast as it goes, where one differs more from the next.
_PACED = 2
_FULL = 8


@dataclass
class Seen:
    """All that was seen of a database."""

    # The milliseconds of each page.
    pages: dict[Page, list[float]] = field(default_factory=dict)
    # Of home, with all that it loads.
    bytes: int = 0
    # Of other programs, while pages were asked for.
    foreign_shares: list[float] = field(default_factory=list)
    # Counting at a rate and as fast as it goes, with no page open (False) and with many (True).
    paced: dict[bool, list[Sample]] = field(default_factory=lambda: {False: [], True: []})
    full: dict[bool, list[Sample]] = field(default_factory=lambda: {False: [], True: []})
    # Events of the open pages, for each second.
    events: list[float] = field(default_factory=list)

    def samples(self) -> list[Sample]:
        loads = (self.paced, self.full)
        return [sample for load in loads for samples in load.values() for sample in samples]


@dataclass
class Session:
    """All that was seen."""

    visits: int
    counters: int
    seen: dict[str, Seen] = field(default_factory=lambda: {kind.title: Seen() for kind in KINDS})

    def foreign_share(self) -> Spread:
        """What was taken by programs that had nothing to do with this."""
        return Spread.of(
            share
            for seen in self.seen.values()
            for share in (*seen.foreign_shares, *(one.foreign_share for one in seen.samples()))
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "visits": self.visits,
            "counters": self.counters,
            "seen": [_seen_to_json(title, seen) for title, seen in self.seen.items()],
        }


def _seen_to_json(title: str, seen: Seen) -> dict[str, Any]:
    def load(samples: dict[bool, list[Sample]]) -> dict[str, Any]:
        names = {False: "without", True: "with"}
        return {names[live]: [asdict(one) for one in some] for live, some in samples.items()}

    return {
        "database": title,
        "bytes": seen.bytes,
        "pages": {page.kind: milliseconds for page, milliseconds in seen.pages.items()},
        "foreign_shares": seen.foreign_shares,
        "events": seen.events,
        "paced": load(seen.paced),
        "full": load(seen.full),
    }


def run(plan: Plan, seed: int) -> Session:
    """Starts everything, measures, and stops everything."""
    random = Random(seed)
    session = Session(plan.audience_visits, plan.console_counters)
    with Supervisor(FIRST_PORT) as supervisor:
        if plan.published:
            sum_up(supervisor, plan.audience_visits)
    for repetition in range(1, plan.console_repetitions + 1):
        for kind in KINDS:
            with Supervisor(FIRST_PORT) as supervisor:
                opened = open_stage(kind, supervisor, plan.audience_visits)
                stage.fill(opened, plan.audience_visits, plan.console_counters)
                opened.start()
                stage.save(opened)
                step = f"round {repetition} of {plan.console_repetitions} with {kind.title}"
                with progress.step(step):
                    _look(session.seen[kind.title], opened, plan.console_times, random)
                    opened.log_in()
                    _count(session.seen[kind.title], opened, plan.console_seconds, random)
    return session


def _look(seen: Seen, opened: AnyStage, times: int, random: Random) -> None:
    """Asks for every page; the first answer of each, for which nothing was in memory, does not count."""
    reader = Reader(opened.instance.addresses[0]).log_in()
    every = pages.all_of(reader)
    seen.bytes = max(seen.bytes, pages.weight(reader, ROOT))
    clock = Clock(opened.cpu_seconds)
    for page in random.sample(every, len(every)):
        milliseconds = [reader.timed(page.path) for _ in range(times + 1)]
        seen.pages.setdefault(page, []).extend(milliseconds[1:])
    seen.foreign_shares.append(clock.took().foreign_share)
    reader.close()


def _count(seen: Seen, opened: AnyStage, seconds: float, random: Random) -> None:
    """With and without pages, in an order of its own each time: these have the same neighbours."""
    address = opened.instance.addresses[0]
    readers = streams.log_in(address)
    pairs = [(RATE, seen.paced)] * _PACED + [(None, seen.full)] * _FULL
    stage.steady(opened)
    for rate, samples in random.sample(pairs, len(pairs)):
        for live in random.sample((False, True), 2):
            with ExitStack() as pages_open:
                if live:
                    followed = pages_open.enter_context(streams.opened(address, readers))
                samples[live].append(measure(opened, seconds, rate))
                if live:
                    seen.events.append(followed.per_second())
