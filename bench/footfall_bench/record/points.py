"""What is measured of counting: loads that differ in what their visits carry, and in what is recorded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..plans import CONNECTIONS

# As many as visits of a shop might have; `{below:N}` is a number that the load chooses for each visit.
VISITORS = 50_000
FIELDS: Mapping[str, str] = {
    "visitor": f"customer-{{below:{VISITORS}}}",
    "path": "/articles/{below:1000}",
    "referrer": "https://search.example/{below:200}",
    "campaign": "spring-{below:20}",
    "country": "DE",
}

LINES = 500


@dataclass(frozen=True)
class Point:
    """One load."""

    name: str
    title: str
    counter: str
    # What each visit carries.
    fields: Mapping[str, str] | None = None
    # Visits in a request.
    lines: int = 1
    identities: bool = False
    connections: int = CONNECTIONS

    # Mappings have no hash, and names are different.
    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def path(self) -> str:
        return "/api/visits" if self.lines > 1 else f"/api/counters/{self.counter}"

    @property
    def options(self) -> list[str]:
        """What the load generator is told beside the path."""
        options = ["--method", "POST"]
        if self.identities:
            options.append("--ids")
        if self.fields is not None:
            counter = {"counter": self.counter} if self.lines > 1 else {}
            body = json.dumps({**counter, **self.fields}, separators=(",", ":"))
            options += ["--body", body, "--lines", str(self.lines)]
        return options

    @property
    def headers(self) -> dict[str, str]:
        if self.fields is None:
            return {}
        kind = "application/x-ndjson" if self.lines > 1 else "application/json"
        return {"Content-Type": kind}


# The counter of which nothing is recorded.
UNRECORDED = "unrecorded"

OFF = Point("off", "plain, recording off", UNRECORDED)
PLAIN = Point("plain", "plain, recorded", "plain")
OFF_IDENTIFIED = Point(
    "off-identified", "plain with identity, recording off", UNRECORDED, identities=True
)
PLAIN_IDENTIFIED = Point(
    "plain-identified", "plain with identity, recorded", "identified", identities=True
)
FIVE = Point("five", "five fields", "fields", FIELDS)
MANY = Point("many", f"five fields, {LINES} in a request", "lines", FIELDS, LINES, connections=8)

POINTS = (OFF, PLAIN, OFF_IDENTIFIED, PLAIN_IDENTIFIED, FIVE, MANY)

# What is compared, and so measured one right after the other.
GROUPS = ((OFF, PLAIN, FIVE, MANY), (OFF_IDENTIFIED, PLAIN_IDENTIFIED))
