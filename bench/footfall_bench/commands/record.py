"""`bench/record.sh`"""

import time
from typing import Any

from .. import blocks, machine, postgresql
from ..places import SCALING_PAGE
from ..plans import FULL, QUICK, Plan
from ..publish import Publication
from ..record import growth, tables
from ..record.session import Session, run


def main(mode: str | None, seed: int | None) -> None:
    plan = QUICK if mode == "quick" else FULL
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    print(f"== {plan.name} run, seed {seed}", flush=True)
    check_page()
    meta = described(plan, seed)
    session = run(plan, seed)
    publication = Publication(plan)
    try:
        publish(publication, session, meta)
        publication.finish()
    finally:
        publication.discard()


def described(plan: Plan, seed: int) -> dict[str, Any]:
    """Where and how it is measured."""
    how = {
        "repetitions": plan.record_repetitions,
        "seconds": plan.record_seconds,
        "postgresql": postgresql.version(),
    }
    return machine.describe(seed) | how


def check_page() -> None:
    """Notices before the run that a page has no room for what comes of it."""
    blocks.fill(SCALING_PAGE.read_text(), {growth.PART: ""})


def publish(publication: Publication, session: Session, meta: dict[str, Any]) -> None:
    """Writes its page, its figures and its part of another page."""
    publication.write("record.md", tables.page(session, meta))
    publication.write_json("record.json", {"meta": meta, **session.to_json()})
    page = blocks.fill(SCALING_PAGE.read_text(), growth.blocks(session, meta))
    publication.write_page(SCALING_PAGE, page)
