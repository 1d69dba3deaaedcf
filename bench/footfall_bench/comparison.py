"""The comparison: everything in one session, each round in an order of its own."""

import time
from dataclasses import dataclass, field
from random import Random

from . import proc
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
    loaded: dict[str, proc.Memory] = field(default_factory=dict)


def compare(plan: Plan, seed: int) -> Comparison:
    """Starts everyone, measures, and stops everyone."""
    random = Random(seed)
    cells = every_cell()
    comparison = Comparison(samples={cell: [] for cell in cells})
    print("== starting and checking all services", flush=True)
    with Supervisor(FIRST_PORT) as supervisor:
        stage = Stage(supervisor, cells)
        _measure_starts(comparison, supervisor, stage, plan, random)
        for repetition in range(1, plan.repetitions + 1):
            _measure_round(comparison, stage, plan, random.sample(cells, len(cells)), repetition)
        for contestant in ALL:
            instance = stage.instances[instance_key(contestant, "tcp")]
            comparison.loaded[contestant.name] = instance.memory()
    return comparison


def _measure_starts(
    comparison: Comparison,
    supervisor: Supervisor,
    stage: Stage,
    plan: Plan,
    random: Random,
) -> None:
    print(f"== {plan.starts} starts of each service", flush=True)
    port = supervisor.port("starting services")
    for number in range(plan.starts):
        for contestant in random.sample(ALL, len(ALL)):
            start = start_once(
                supervisor,
                contestant,
                port,
                stage.redis.url,
                look_at_memory=number == plan.starts - 1,
            )
            comparison.starts[contestant.name].append(start)


def _measure_round(
    comparison: Comparison, stage: Stage, plan: Plan, cells: list[Cell], repetition: int
) -> None:
    began = time.monotonic()
    print(
        f"== round {repetition} of {plan.repetitions}: {len(cells)} measurements",
        end="",
        flush=True,
    )
    # Counters and identities of the round before would make this one's work another.
    stage.redis.forget()
    for cell in cells:
        comparison.samples[cell].append(measure(stage, cell, plan))
    print(f", {time.monotonic() - began:.0f} s", flush=True)
