"""What Footfall is to reach, as ratios within one run."""

import math
from dataclasses import dataclass

from .contestants import FASTIFY_EXACT, FOOTFALL_AS_SHIPPED, HYPER_LIMIT
from .entrants import WORKERS, Shape, key
from .plans import CONNECTIONS, MANY_CONNECTIONS
from .results import Results


@dataclass(frozen=True)
class Target:
    """A limit and what was measured."""

    text: str
    limit: float
    at_most: bool
    measured: float
    unit: str

    @property
    def met(self) -> bool:
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit

    def row(self) -> list[str]:
        sign = "≤" if self.at_most else "≥"
        return [
            self.text,
            f"{sign} {self.limit:g}{self.unit}",
            "not reached" if math.isinf(self.measured) else f"{self.measured:.2f}{self.unit}",
            "pass" if self.met else "**fail**",
        ]


def targets(results: Results) -> list[Target]:
    """All of them."""

    def direct_cpu(entrant: str, operation: str) -> float:
        part = "shape" if operation == "count" else "throughput"
        cell = results.cell(
            part, entrant=entrant, operation=operation, nginx_workers=0, connections=CONNECTIONS
        )
        return results.median(cell, "server_us")

    def behind_nginx(contestant: str, operation: str) -> float:
        cell = results.cell(
            "throughput", contestant=contestant, operation=operation, nginx_workers=1,
            identities=operation == "count" and contestant in ("footfall", FASTIFY_EXACT.name),
            connections=MANY_CONNECTIONS,
        )  # fmt: skip
        return results.median(cell, "per_second")

    limit = direct_cpu(key(HYPER_LIMIT), "ping")
    count = behind_nginx("footfall", "count")
    behind = f"Counts with identity behind nginx, {MANY_CONNECTIONS} connections"
    return [
        Target(
            "CPU of a ping, times bare hyper's", 1.35, True,
            direct_cpu(key(FOOTFALL_AS_SHIPPED), "ping") / limit, "",
        ),
        Target(
            f"CPU of a count with identity, {WORKERS[-1]} workers, times bare hyper's ping", 2.4, True,
            direct_cpu(Shape(WORKERS[-1]).key, "count") / limit, "",
        ),
        Target(f"{behind}, times bare hyper's pings there", 0.65, False, count / behind_nginx("hyper", "ping"), ""),
        Target(
            f"{behind}, times those of a Fastify with the same promise", 2.5, False,
            count / behind_nginx(FASTIFY_EXACT.name, "count"), "",
        ),
        Target(f"{behind}, times FastAPI's increments", 8, False, count / behind_nginx("fastapi", "count"), ""),
        Target(f"{behind}, times Flask's increments", 20, False, count / behind_nginx("flask", "count"), ""),
        Target(
            "Memory of an idle replica (RSS), median", 12, True,
            results.idle_mb("footfall", "rss_mb").median, " MB",
        ),
        Target(
            "From start to first answer, median", 20, True, results.first_answer_ms("footfall").median, " ms",
        ),
    ]  # fmt: skip
