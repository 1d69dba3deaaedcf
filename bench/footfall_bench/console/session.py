"""One session: each database in rounds, each with a start of its own; pages first, then counting with pages open."""

import time
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
from .measure import RATE, Sample, counting, mean
from .pages import ROOT, Page
from .reader import Reader

# Loads as fast as it goes in a round, beside one at a rate, and how often pages are opened and closed in each.
_FULL = 4
_TURNS = 4

# Until those who open pages, or have closed them, are done with it; and the longest that this takes for one turn.
_SETTLED_SECONDS = 0.5
_BETWEEN_SECONDS = 4.0


@dataclass
class Seen:
    """All that was seen of a database."""

    # The milliseconds of each page.
    pages: dict[Page, list[float]] = field(default_factory=dict)
    # Of home, with all that it loads.
    bytes: int = 0
    # Of other programs, while pages were asked for, and in each load.
    foreign_shares: list[float] = field(default_factory=list)
    # Counting at a rate and as fast as it goes, with no page open (False) and with many (True).
    paced: dict[bool, list[Sample]] = field(default_factory=lambda: {False: [], True: []})
    full: dict[bool, list[Sample]] = field(default_factory=lambda: {False: [], True: []})
    # Events of the open pages, for each second.
    events: list[float] = field(default_factory=list)


@dataclass
class Session:
    """All that was seen."""

    visits: int
    counters: int
    seen: dict[str, Seen] = field(default_factory=lambda: {kind.title: Seen() for kind in KINDS})

    def foreign_share(self) -> Spread:
        """What was taken by programs that had nothing to do with this."""
        return Spread.of(
            share for seen in self.seen.values() for share in seen.foreign_shares
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
    """With and without pages in turn, while one load goes on: another one would spread its connections over the workers
    in its own way, which differs more than what live pages take."""
    address = opened.instance.addresses[0]
    readers = streams.log_in(address)
    stage.steady(opened)
    loads = [(RATE, seen.paced)] + [(None, seen.full)] * _FULL
    for rate, samples in random.sample(loads, len(loads)):
        opened.log_in()
        with counting(opened, rate, _TURNS * (4 * seconds + _BETWEEN_SECONDS)) as load:
            for _ in range(_TURNS):
                alone = [load.sample(seconds)]
                with streams.opened(address, readers) as followed:
                    time.sleep(_SETTLED_SECONDS)
                    live = [load.sample(seconds), load.sample(seconds)]
                    seen.events.append(followed.per_second())
                time.sleep(_SETTLED_SECONDS)
                alone.append(load.sample(seconds))
                # What grows or falls meanwhile is the same for both.
                samples[False].append(mean(alone))
                samples[True].append(mean(live))
        seen.foreign_shares.append(load.foreign_share)
