"""One session: every load in rounds, each in an order of its own; then what is measured once."""

from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from .. import progress
from ..plans import Plan
from ..processes import Supervisor
from ..spread import Spread
from . import backlog, keeping_up, sizes, year
from .backlog import Backlog
from .keeping_up import KeepingUp
from .measure import Sample, load, measure
from .points import GROUPS, OFF, POINTS, UNRECORDED, Point
from .sizes import Size
from .stage import FIRST_PORT, Stage
from .year import Year


@dataclass
class Session:
    """All that was seen."""

    year: Year
    samples: dict[Point, list[Sample]] = field(
        default_factory=lambda: {point: [] for point in POINTS}
    )
    keeping_up: list[KeepingUp] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    backlogs: list[Backlog] = field(default_factory=list)

    def spread(self, point: Point, figure: str) -> Spread:
        return Spread.of(getattr(sample, figure) for sample in self.samples[point])

    def median(self, point: Point, figure: str) -> float:
        return self.spread(point, figure).median

    def ratio(self, point: Point, other: Point, figure: str) -> Spread:
        """One load by another, turn by turn: these were measured one right after the other."""
        return Spread.of(one / two for one, two in self._pairs(point, other, figure))

    def difference(self, point: Point, other: Point, figure: str) -> Spread:
        """One load less another, turn by turn."""
        return Spread.of(one - two for one, two in self._pairs(point, other, figure))

    def _pairs(self, point: Point, other: Point, figure: str) -> list[tuple[float, float]]:
        pairs = zip(self.samples[point], self.samples[other], strict=True)
        return [(getattr(one, figure), getattr(two, figure)) for one, two in pairs]

    def plain_of_year(self) -> float:
        """The bytes of plain visits that come one by one: the time of each is its own."""
        year = self.year
        return (year.by_table["runs"] + year.by_table["marks"]) / year.visits

    def foreign_share(self) -> Spread:
        """What was taken by programs that had nothing to do with this."""
        return Spread.of(
            sample.foreign_share for samples in self.samples.values() for sample in samples
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "points": [
                {**asdict(point), "samples": [asdict(sample) for sample in samples]}
                for point, samples in self.samples.items()
            ],
            "keeping_up": [asdict(one) for one in self.keeping_up],
            "sizes": [asdict(size) for size in self.sizes],
            "backlogs": [asdict(backlog) for backlog in self.backlogs],
            "year": asdict(self.year),
        }


def run(plan: Plan, seed: int) -> Session:
    """Starts everything, measures, and stops everything."""
    random = Random(seed)
    with Supervisor(FIRST_PORT) as supervisor:
        seen = year.measure(supervisor, plan.visits_a_day, summed=plan.published)
    session = Session(seen)
    with Supervisor(FIRST_PORT) as supervisor:
        stage = Stage(supervisor, "record")
        stage.migrate()
        stage.start()
        load(stage, OFF, plan.record_seconds)
        stage.wait_until_drained(UNRECORDED)
        stage.ask("PUT", f"/api/counters/{UNRECORDED}/recording", {"on": False})
        for repetition in range(1, plan.record_repetitions + 1):
            with progress.step(f"round {repetition} of {plan.record_repetitions}"):
                _measure_round(session, stage, plan, random)
        for repetition in range(1, plan.keeping_up_repetitions + 1):
            with progress.step(f"keeping up, {repetition} of {plan.keeping_up_repetitions}"):
                stage.log_in()
                session.keeping_up.append(keeping_up.measure(stage, plan.keeping_up_seconds))
        with progress.step("what visits take"):
            stage.log_in()
            session.sizes = sizes.measure(stage, plan.record_visits)
            session.backlogs = backlog.measure(stage)
    return session


def _measure_round(session: Session, stage: Stage, plan: Plan, random: Random) -> None:
    stage.log_in()
    for group in random.sample(GROUPS, len(GROUPS)):
        shuffled = random.sample(group, len(group))
        # There and back: a machine that becomes slower or faster meanwhile does so for all of them.
        for point in (*shuffled, *reversed(shuffled)):
            # What others have left behind must not make this one's work another.
            stage.redis.forget_identities(point.counter)
            session.samples[point].append(measure(stage, point, plan.record_seconds))
