"""`bench/scaling.sh`"""

import time
from dataclasses import asdict
from typing import Any

from .. import blocks, machine
from ..places import SCALING_PAGE, previous_footfall
from ..plans import FULL, QUICK
from ..publish import Publication
from ..scaling import model, pictures, tables
from ..scaling.session import Session, run


def main(mode: str | None, seed: int | None) -> None:
    plan = QUICK if mode == "quick" else FULL
    previous = previous_footfall()
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    print(f"== {plan.name} run, seed {seed}", flush=True)
    meta = machine.describe(seed) | {
        "repetitions": plan.repetitions,
        "seconds": plan.scaling_seconds,
        "counters": plan.counters,
        "previous": machine.describe_previous(previous) if previous else None,
    }
    # Read before, so that a page without room for the results is not noticed after them.
    page = blocks.fill(SCALING_PAGE.read_text(), dict.fromkeys(tables.PARTS, ""))
    session = run(plan, seed, previous)
    costs = model.fit(session)
    publication = Publication(plan)
    try:
        publication.write_json("scaling.json", _to_json(session, costs, meta))
        for name, picture in pictures.pictures(session, costs):
            publication.write(name, picture)
        publication.write_page(SCALING_PAGE, blocks.fill(page, tables.blocks(session, costs, meta)))
        publication.finish()
    finally:
        publication.discard()


def _to_json(session: Session, costs: model.Model, meta: dict[str, Any]) -> dict[str, Any]:
    return {
        "meta": meta,
        "points": [
            {**asdict(point), "samples": [asdict(sample) for sample in samples]}
            for point, samples in session.samples.items()
        ],
        "windows": [asdict(window) for window in session.windows],
        "bytes_per_counter": session.bytes_per_counter,
        "model": asdict(costs),
    }
