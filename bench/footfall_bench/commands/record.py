"""`bench/record.sh`"""

import time
from typing import Any

from .. import machine, postgresql
from ..plans import FULL, QUICK, Plan
from ..publish import Publication
from ..record import tables
from ..record.session import Session, run


def main(mode: str | None, seed: int | None) -> None:
    plan = QUICK if mode == "quick" else FULL
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    print(f"== {plan.name} run, seed {seed}", flush=True)
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
        "repetitions": plan.repetitions,
        "seconds": plan.record_seconds,
        "postgresql": postgresql.version(),
    }
    return machine.describe(seed) | how


def publish(publication: Publication, session: Session, meta: dict[str, Any]) -> None:
    """Writes its page and its figures."""
    publication.write("record.md", tables.page(session, meta))
    publication.write_json("record.json", {"meta": meta, **session.to_json()})
