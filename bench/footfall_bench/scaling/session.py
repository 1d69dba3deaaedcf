"""One session: every point, each round in an order of its own."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .. import progress
from ..plans import Plan
from ..processes import Supervisor
from ..spread import Spread
from .measure import Sample, create_counters, measure
from .points import Point, points
from .stage import FIRST_PORT, Stage
from .windows import Window, measure_windows

_COUNTER = "visits"


@dataclass
class Session:
    """All that was seen."""

    samples: dict[Point, list[Sample]]
    windows: list[Window] = field(default_factory=list)
    bytes_per_counter: float = 0.0

    def spread(self, point: Point, figure: str) -> Spread:
        return Spread.of(getattr(sample, figure) for sample in self.samples[point])

    def median(self, point: Point, figure: str) -> float:
        return self.spread(point, figure).median

    def ratio(self, point: Point, other: Point, figure: str) -> Spread:
        """One point by another, round by round: these have the same neighbours."""
        pairs = zip(self.samples[point], self.samples[other], strict=True)
        return Spread.of(getattr(one, figure) / getattr(two, figure) for one, two in pairs)

    def experiment(self, name: str) -> list[Point]:
        return [point for point in self.samples if point.experiment == name]

    def foreign_share(self) -> Spread:
        samples = self.samples.values()
        return Spread.of(sample.foreign_share for some in samples for sample in some)


def run(plan: Plan, seed: int, previous: Path | None) -> Session:
    """Starts everything, measures, and stops everything."""
    random = Random(seed)
    every_point = list(points(plan, with_previous=previous is not None))
    session = Session({point: [] for point in every_point})
    print("== starting replicas", flush=True)
    with Supervisor(FIRST_PORT) as supervisor:
        stage = Stage(supervisor, every_point, previous)
        print(f"== creating {plan.counters} counters", flush=True)
        session.bytes_per_counter = create_counters(stage, plan.counters)
        for repetition in range(1, plan.repetitions + 1):
            shuffled = random.sample(every_point, len(every_point))
            _measure_round(session, stage, plan, shuffled, repetition)
        with progress.step("how many identities are remembered"):
            session.windows = list(measure_windows(stage, plan))
    return session


def _measure_round(
    session: Session, stage: Stage, plan: Plan, shuffled: list[Point], repetition: int
) -> None:
    with progress.step(f"round {repetition} of {plan.repetitions}: {len(shuffled)} measurements"):
        for point in shuffled:
            # What others have left behind must not make this one's work another.
            stage.redis_of(point).forget_identities(_COUNTER)
            session.samples[point].append(measure(stage, point, plan.scaling_seconds))
