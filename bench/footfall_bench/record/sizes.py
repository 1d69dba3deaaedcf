"""What a visit takes in PostgreSQL, indexes included."""

from dataclasses import dataclass

from ..errors import BenchError
from .measure import load
from .points import FIELDS, Point
from .stage import Stage

_TABLES = ("visits", "runs", "marks", "texts", "visitors", "recorded_identities", "recordings")

# Partitions are tables of their own.
_SIZE = """
SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE oid = '{table}'::regclass OR oid IN (SELECT relid FROM pg_partition_tree('{table}'))
"""

# Visits of each visitor.
_VISITS_EACH = 4

_PLAIN = Point("plain-size", "plain", "plain-size")


@dataclass(frozen=True)
class Size:
    """What some visits took, by table."""

    title: str
    visits: int
    by_table: dict[str, int]

    @property
    def bytes_each(self) -> float:
        return sum(self.by_table.values()) / self.visits

    def of(self, *tables: str) -> float:
        return sum(self.by_table[table] for table in tables) / self.visits


def measure(stage: Stage, visits: int) -> list[Size]:
    """Records so many visits of each kind, and looks at the tables before and after."""
    # Visitors that nobody has seen before.
    fields = {**FIELDS, "visitor": f"shopper-{{below:{visits // _VISITS_EACH}}}"}
    five = Point("five-size", "five fields", "five-size", fields)
    return [_grown(stage, five, visits), _grown(stage, _PLAIN, visits)]


def tables(stage: Stage) -> dict[str, int]:
    """The bytes of each table."""
    return {table: int(stage.database.sql(_SIZE.format(table=table))) for table in _TABLES}


def _grown(stage: Stage, point: Point, visits: int) -> Size:
    before = tables(stage)
    key = f"footfall:{{{point.counter}}}:count"
    while (counted := stage.redis.count(key)) < visits:
        load(stage, point, 0.5)
        # Whoever waits is not so many that it is a backlog.
        stage.wait_until_drained(point.counter)
        if stage.redis.count(key) == counted:
            raise BenchError(f"{point.title}: nothing is counted")
    after = tables(stage)
    return Size(point.title, counted, {table: after[table] - before[table] for table in _TABLES})
