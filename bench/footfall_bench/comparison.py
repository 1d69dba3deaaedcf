"""The comparison: everything in one session, each round in an order of its own."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from . import proc, progress
from .cells import Cell, every_cell
from .contestants import ALL
from .entrants import Extras, key
from .measure import Sample, measure
from .one_cpu import one_cpu
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


def compare(plan: Plan, seed: int, previous: Path | None) -> Comparison:
    """Starts everyone, measures, and stops everyone."""
    random = Random(seed)
    print("== starting and checking all services", flush=True)
    with one_cpu() as group, Supervisor(FIRST_PORT) as supervisor:
        extras = Extras(previous, one_cpu=group is not None)
        cells = every_cell(extras)
        lists: dict[Cell, list[Sample]] = {}
        comparison = Comparison({cell: lists.setdefault(cell.subject, []) for cell in cells})
        once = list({cell.subject: cell for cell in cells}.values())
        stage = Stage(supervisor, cells, extras, group)
        _measure_starts(comparison, supervisor, stage, plan, random)
        for repetition in range(1, plan.repetitions + 1):
            _measure_round(comparison, stage, plan, random.sample(once, len(once)), repetition)
            for contestant in ALL:
                instance = stage.instances[key(contestant)]
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
                    stage.redis_url("redis"),
                    look_at_memory=number < plan.idle_starts,
                )
                comparison.starts[contestant.name].append(start)


def _measure_round(
    comparison: Comparison, stage: Stage, plan: Plan, cells: list[Cell], repetition: int
) -> None:
    stage.begin_round()
    with progress.step(f"round {repetition} of {plan.repetitions}: {len(cells)} measurements"):
        for cell in cells:
            comparison.samples[cell].append(measure(stage, cell, plan))
