"""The comparison: everything in one session, each round in an order of its own."""

from dataclasses import dataclass, field
from random import Random

from . import proc, progress
from .cells import Cell, every_cell, instance_key
from .contestants import ALL
from .measure import Sample, measure
from .plans import Plan
from .processes import Supervisor
from .stage import FIRST_PORT, Stage
from .starting import Start, start_once


@dataclass
class Comparison:
    """All that was seen."""

    samples: dict[Cell, list[Sample]]
    starts: dict[str, list[Start]] = field(
        default_factory=lambda: {contestant.name: [] for contestant in ALL}
    )
    # After each round.
    loaded: dict[str, list[proc.Memory]] = field(
        default_factory=lambda: {contestant.name: [] for contestant in ALL}
    )


def compare(plan: Plan, seed: int) -> Comparison:
    """Starts everyone, measures, and stops everyone."""
    random = Random(seed)
    cells = every_cell()
    lists: dict[Cell, list[Sample]] = {}
    comparison = Comparison({cell: lists.setdefault(cell.subject, []) for cell in cells})
    once = list({cell.subject: cell for cell in cells}.values())
    print("== starting and checking all services", flush=True)
    with Supervisor(FIRST_PORT) as supervisor:
        stage = Stage(supervisor, cells)
        _measure_starts(comparison, supervisor, stage, plan, random)
        for repetition in range(1, plan.repetitions + 1):
            _measure_round(comparison, stage, plan, random.sample(once, len(once)), repetition)
            for contestant in ALL:
                instance = stage.instances[instance_key(contestant, "tcp")]
                comparison.loaded[contestant.name].append(instance.memory())
    return comparison


def _measure_starts(
    comparison: Comparison,
    supervisor: Supervisor,
    stage: Stage,
    plan: Plan,
    random: Random,
) -> None:
    port = supervisor.port("starting services")
    with progress.step(f"{plan.starts} starts of each service"):
        for number in range(plan.starts):
            for contestant in random.sample(ALL, len(ALL)):
                start = start_once(
                    supervisor,
                    contestant,
                    port,
                    stage.redis.url,
                    look_at_memory=number < plan.idle_starts,
                )
                comparison.starts[contestant.name].append(start)


def _measure_round(
    comparison: Comparison, stage: Stage, plan: Plan, cells: list[Cell], repetition: int
) -> None:
    # Counters and identities of the round before would make this one's work another.
    stage.redis.forget()
    with progress.step(f"round {repetition} of {plan.repetitions}: {len(cells)} measurements"):
        for cell in cells:
            comparison.samples[cell].append(measure(stage, cell, plan))
