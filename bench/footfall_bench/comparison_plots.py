"""The pictures of a comparison."""

from collections.abc import Iterator

from . import plots
from .cells import BUSY_RATE, EASY_RATE, LOADS, PLACES, Cell, is_exact
from .comparison_sections import other_socket
from .contestants import ALL, COUNTING, FASTIFY_CLUSTER, FOOTFALL_AS_SHIPPED
from .entrants import shape_of
from .plans import CONNECTIONS, MANY_CONNECTIONS
from .results import QUANTILES, Results
from .tables import TITLES


def pictures(results: Results) -> Iterator[tuple[str, str]]:
    """File names and what is in them."""
    yield "throughput.svg", _throughput(results)
    yield "cpu.svg", _cpu(results)
    yield "latency.svg", _latency(results)
    yield "shapes.svg", _shapes(results)
    yield "sockets.svg", _sockets(results)


def _rows() -> list[tuple[str, str, str, bool]]:
    """Title, contestant, operation, and whether identities are remembered."""
    counts = [(f"{c.title}: count", c.name, "count", is_exact(c)) for c in COUNTING]
    return counts + [(f"{c.title}: ping", c.name, "ping", False) for c in ALL]


def _cells(results: Results, nginx_workers: int, connections: int) -> list[Cell]:
    return [
        results.cell(
            "throughput", contestant=name, operation=operation, identities=identities,
            nginx_workers=nginx_workers, connections=connections,
        )
        for _, name, operation, identities in _rows()
    ]  # fmt: skip


def _throughput(results: Results) -> str:
    series = {
        f"{'behind nginx' if place else 'directly'}, {connections} connections": [
            results.median(cell, "per_second") for cell in _cells(results, place, connections)
        ]
        for place in PLACES
        for connections in LOADS
    }
    return plots.bars("Throughput", "requests per second", [row[0] for row in _rows()], series)


def _cpu(results: Results) -> str:
    cells = _cells(results, 1, MANY_CONNECTIONS)
    series = {
        title: [results.median(cell, figure) for cell in cells]
        for title, figure in (("server", "server_us"), ("Redis", "redis_us"), ("nginx", "nginx_us"))
    }
    title = f"CPU behind nginx, {MANY_CONNECTIONS} connections"
    return plots.stacked(title, "µs per request", [row[0] for row in _rows()], series)


def _latency(results: Results) -> str:
    series = {}
    places = [1 / (1 - quantile) for quantile in QUANTILES]
    shown = (FOOTFALL_AS_SHIPPED.name, FASTIFY_CLUSTER.name, "fastify-exact")
    for cell in results.cells("latency"):
        if cell.operation == "count" and not cell.direct and cell.contestant in shown:
            label = f"{TITLES[cell.contestant]}, {cell.rate:,}/s"
            series[label] = (places, results.typical_quantiles_us(cell))
    ticks = [(1 / (1 - quantile), f"{100 * quantile:g} %") for quantile in QUANTILES]
    assert {cell.rate for cell in results.cells("latency")} == {EASY_RATE, BUSY_RATE}
    return plots.lines(
        "Latency of a count behind nginx, at a fixed rate: the median of the rounds",
        ("share of requests that were answered within", "µs"),
        series,
        ticks=ticks,
    )


def _shapes(results: Results) -> str:
    cells = [cell for cell in results.cells("shape") if cell.connections == CONNECTIONS]
    ways = list(dict.fromkeys((cell.entrant, cell.nginx_workers) for cell in cells))
    series = {
        operation: [
            results.median(
                results.cell(
                    "shape", entrant=entrant, operation=operation, nginx_workers=workers,
                    connections=CONNECTIONS,
                ),
                "per_second",
            )
            for entrant, workers in ways
        ]
        for operation in ("count", "ping")
    }  # fmt: skip
    names = [_shape_name(*way) for way in ways]
    return plots.bars("Shapes of Footfall", "requests per second", names, series)


def _shape_name(entrant: str, nginx_workers: int) -> str:
    shape = shape_of(entrant)
    place = f"nginx with {nginx_workers}" if nginx_workers else "directly"
    return f"{shape.replicas} replica(s) × {shape.workers} worker(s), {place}"


def _sockets(results: Results) -> str:
    unix = [cell for cell in results.cells("sockets") if cell.entrant.endswith("@unix")]
    names = [
        f"{TITLES[cell.contestant]}, {'directly' if cell.direct else 'behind nginx'}"
        for cell in unix
    ]
    series = {
        "Unix socket": [results.median(cell, "per_second") for cell in unix],
        "TCP": [results.median(other_socket(results, cell), "per_second") for cell in unix],
    }
    return plots.bars("Pings", "requests per second", names, series)
