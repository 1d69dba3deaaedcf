"""The parts of that page that are about Footfall alone."""

from .cells import LOADS, Cell
from .contestants import PREVIOUS
from .entrants import EMBEDDED, EMBEDDED_RECORDED, shape_of
from .markdown import number, share, table
from .record.points import OFF_IDENTIFIED, PLAIN_IDENTIFIED
from .record.session import Session
from .results import Results
from .spread import Spread
from .tables import TITLES, rate


def previous(results: Results) -> str:
    """This revision and an earlier one, in the same rounds."""
    before = [cell for cell in results.cells("throughput") if cell.contestant == PREVIOUS]
    if not before:
        return "No earlier revision took part: `BENCH_PREVIOUS` names the program of one.\n"

    def row(cell: Cell) -> list[str]:
        now = results.cell(
            "throughput", contestant="footfall", operation=cell.operation,
            nginx_workers=cell.nginx_workers, identities=cell.identities, connections=cell.connections,
        )  # fmt: skip
        figures = ("per_second", "server_us", "redis_us")
        ratios = [results.ratio(now, cell, figure) for figure in figures]
        texts = [text for ratio in ratios for text in (f"{ratio.median:.2f}", _range(ratio))]
        if cell.operation != "count":
            texts[-2:] = ["–", "–"]
        return [
            f"{cell.operation}, {'directly' if cell.direct else 'behind nginx'}, {cell.connections} connections",
            number(results.median(cell, "per_second")),
            number(results.median(now, "per_second")),
            *texts,
        ]

    head = ["", "before, per second", "now", "now ÷ before", "of the rounds", "server µs, now ÷ before",
            "of the rounds", "Redis µs, now ÷ before", "of the rounds"]  # fmt: skip
    return (
        f"Before is `{results.meta['previous']}`. Ratios are those of each round, and of these the median.\n\n"
        + table(head, map(row, before))
    )


def _range(spread: Spread) -> str:
    return f"{spread.low:.2f} to {spread.high:.2f}"


def kept(results: Results, recorded: Session) -> str:
    """In Redis or in a file, recorded or not."""
    places = {EMBEDDED: "embedded SQLite", EMBEDDED_RECORDED: "embedded SQLite, recorded"}

    def row(cell: Cell) -> list[str]:
        return [
            places.get(cell.entrant, "Redis"),
            str(cell.connections),
            *rate(results.spread(cell, lambda sample: sample.per_second)),
            number(results.median(cell, "server_us")),
            number(results.median(cell, "redis_us")) if cell.entrant not in places else "–",
            "–",
            share(results.median(cell, "idle_share")),
        ]

    def row_of_record(title: str, point: object) -> list[str]:
        spread = recorded.spread(point, "per_second")
        figures = (recorded.median(point, f"{who}_us") for who in ("server", "redis", "database"))
        return [title, str(LOADS[0]), *rate(spread), *map(number, figures), "–"]

    head = ["", "connections", "per second", "±", "server µs", "Redis µs, main thread", "PostgreSQL µs", "idle"]
    rows = [
        *map(row, results.cells("kept")),
        row_of_record("Redis and PostgreSQL, recording off", OFF_IDENTIFIED),
        row_of_record("Redis and PostgreSQL, recorded", PLAIN_IDENTIFIED),
    ]
    return (
        "Visits with identities, directly. In the file, what is acknowledged is on the disk, as it is with Redis, "
        "and a visit is recorded in the step that counts it. With PostgreSQL it is recorded afterwards: what that "
        "takes is in the CPU. These two rows are of the part of the run that measures [the record](record.md).\n\n"
        + table(head, rows)
    )


_SHAPE_HEAD = [
    "", "worker threads", "replicas", "nginx workers", "connections", "per second", "±", "server µs",
    "nginx µs", "Redis µs, main thread", "calls of Redis", "idle",
]  # fmt: skip


def shapes(results: Results) -> str:
    """Each way Footfall may be cut into threads and replicas."""
    return _shaped(results, "shape")


def one_cpu(results: Results) -> str:
    """The same where a replica has the time of one CPU, whatever the machine has."""
    if not results.cells("one-cpu"):
        return "This machine lets nobody limit what a program has of the CPU: not measured.\n"
    return (
        "A control group gives the replica 100 ms of CPU in each 100 ms, as `docker run --cpus 1` does; nginx, Redis "
        "and the load have what is left of the machine.\n\n" + _shaped(results, "one-cpu")
    )


def _shaped(results: Results, part: str) -> str:
    cells = results.cells(part)
    cells.sort(
        key=lambda cell: (
            cell.operation != "count", cell.nginx_workers, cell.connections,
            -results.median(cell, "per_second"),
        )
    )  # fmt: skip

    def row(cell: Cell) -> list[str]:
        shape = shape_of(cell.entrant)
        counts = cell.operation == "count"
        return [
            cell.operation,
            str(shape.workers),
            str(shape.replicas),
            str(cell.nginx_workers) if not cell.direct else "none",
            str(cell.connections),
            *rate(results.spread(cell, lambda sample: sample.per_second)),
            number(results.median(cell, "server_us")),
            number(results.median(cell, "nginx_us")) if not cell.direct else "–",
            number(results.median(cell, "redis_us")) if counts else "–",
            number(results.median(cell, "redis_calls")) if counts else "–",
            share(results.median(cell, "idle_share")),
        ]

    return table(_SHAPE_HEAD, map(row, cells))


def sockets(results: Results) -> str:
    """The same over a Unix socket and over TCP."""
    unix = [cell for cell in results.cells("sockets") if cell.entrant.endswith("@unix")]

    def row(cell: Cell) -> list[str]:
        over_tcp = other_socket(results, cell)
        rates, cpus = [], []
        for each in (over_tcp, cell):
            rates.append(results.spread(each, lambda sample: sample.per_second))
            cpus.append(
                results.spread(each, lambda sample: sample.server_us + sample.nginx_us).median
            )
        return [
            TITLES[cell.contestant],
            "directly" if cell.direct else "behind nginx",
            *(text for each in rates for text in rate(each)),
            number(rates[1].median / rates[0].median),
            *map(number, cpus),
            number(cpus[1] / cpus[0]),
        ]

    head = [
        "Pings", "", "TCP, per second", "±", "Unix, per second", "±", "Unix ÷ TCP",
        "TCP: server + nginx µs", "Unix: server + nginx µs", "Unix ÷ TCP",
    ]  # fmt: skip
    return "Between nginx and the service, or between the load and the service.\n\n" + table(
        head, map(row, unix)
    )


def other_socket(results: Results, cell: Cell) -> Cell:
    """What is the same as this over TCP."""
    return next(
        other
        for other in results.cells("sockets")
        if other.entrant.endswith("@tcp")
        and (other.contestant, other.nginx_workers) == (cell.contestant, cell.nginx_workers)
    )
