"""`bench/console.sh`"""

import time

from .. import machine, postgresql
from ..console import tables
from ..console.session import run
from ..plans import FULL, QUICK
from ..publish import publish


def main(mode: str | None, seed: int | None) -> None:
    plan = QUICK if mode == "quick" else FULL
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    print(f"== {plan.name} run, seed {seed}", flush=True)
    how = {"repetitions": plan.console_repetitions, "postgresql": postgresql.version()}
    meta = machine.describe(seed) | how
    session = run(plan, seed)
    publish(plan, "console", tables.page(session, meta), {"meta": meta, **session.to_json()})
