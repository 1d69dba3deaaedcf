"""What Footfall is to reach, as ratios within one run."""

import math
from dataclasses import dataclass

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

    def median(figure: str, contestant: str, operation: str, **wanted: object) -> float:
        cell = results.cell("throughput", contestant=contestant, operation=operation, **wanted)
        return results.median(cell, figure)

    def direct_cpu(contestant: str, operation: str, *, identities: bool) -> float:
        return median("server_us", contestant, operation, nginx_workers=0, identities=identities)

    def behind_nginx(contestant: str, operation: str) -> float:
        identities = (contestant, operation) == ("footfall", "count")
        return median("per_second", contestant, operation, nginx_workers=1, identities=identities)

    limit_cpu = direct_cpu("hyper", "ping", identities=False)
    count = behind_nginx("footfall", "count")
    return [
        Target(
            "CPU of a ping, times bare hyper's", 1.4, True,
            direct_cpu("footfall", "ping", identities=False) / limit_cpu, "",
        ),
        Target(
            "CPU of a count with identity, times bare hyper's ping", 2.3, True,
            direct_cpu("footfall", "count", identities=True) / limit_cpu, "",
        ),
        Target(
            "Counts behind nginx, times bare hyper's pings there", 0.85, False,
            count / behind_nginx("hyper", "ping"), "",
        ),
        Target(
            "Counts behind nginx, times Fastify's", 2, False, count / behind_nginx("fastify", "count"), "",
        ),
        Target(
            "Counts behind nginx, times Flask's", 15, False, count / behind_nginx("flask", "count"), "",
        ),
        Target(
            "Memory of an idle replica (RSS), median", 12, True,
            results.idle_mb("footfall", "rss_mb").median, " MB",
        ),
        Target(
            "From start to first answer, median", 20, True, results.first_answer_ms("footfall").median, " ms",
        ),
    ]  # fmt: skip
