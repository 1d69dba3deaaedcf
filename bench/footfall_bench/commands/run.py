"""`bench/run.sh`"""

import time

from .. import blocks, comparison_plots, comparison_tables, machine, readme
from ..comparison import compare
from ..places import BENCHMARKS_PAGE, README, previous_footfall
from ..plans import FULL, QUICK
from ..publish import Publication
from ..record.session import run as record_visits
from ..results import Results
from . import record


def main(mode: str | None, seed: int | None) -> None:
    plan = QUICK if mode == "quick" else FULL
    previous = previous_footfall()
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    print(f"== {plan.name} run, seed {seed}", flush=True)
    meta = machine.describe(seed) | {
        "repetitions": plan.repetitions,
        "seconds": plan.seconds,
        "previous": machine.describe_previous(previous) if previous else None,
    }
    # Filled before, so that a page without room for it is not noticed after the run.
    origin = f"The results are those of revision {meta['revision']}, {meta['date']}."
    page = blocks.fill(BENCHMARKS_PAGE.read_text(), {"origin": origin})
    blocks.fill(README.read_text(), dict.fromkeys(readme.PARTS, ""))
    record.check_page()
    results = Results(meta, compare(plan, seed, previous))
    recorded = record_visits(plan, seed)
    publication = Publication(plan)
    try:
        publication.write("results.md", comparison_tables.page(results, recorded))
        publication.write_json("results.json", results.to_json())
        record.publish(publication, recorded, record.described(plan, seed))
        for name, picture in comparison_plots.pictures(results):
            publication.write(name, picture)
        publication.write_page(BENCHMARKS_PAGE, page)
        publication.write_page(README, blocks.fill(README.read_text(), readme.blocks(results)))
        publication.finish()
    finally:
        publication.discard()
