"""The pictures of a comparison."""

from collections.abc import Iterator

from . import plots
from .cells import BUSY_RATE, EASY_RATE, FEW, Cell, shape_of
from .contestants import ALL
from .results import QUANTILES, Results

_TITLES = {contestant.name: contestant.title for contestant in ALL}


def pictures(results: Results) -> Iterator[tuple[str, str]]:
    """File names and what is in them."""
    yield "throughput.svg", _throughput(results)
    yield "cpu.svg", _cpu(results)
    yield "latency.svg", _latency(results)
    yield "shapes.svg", _shapes(results)
    yield "sockets.svg", _sockets(results)


def _rows() -> list[tuple[str, str, str]]:
    """Title, contestant and operation."""
    rows = [(f"{_TITLES[c.name]}: ping", c.name, "ping") for c in ALL]
    return rows + [(f"{_TITLES[c.name]}: count", c.name, "count") for c in ALL if c.counts]


def _cell(results: Results, contestant: str, operation: str, nginx_workers: int) -> Cell:
    """Footfall's count is that with identities: that is how it is shipped."""
    return results.cell(
        "throughput",
        contestant=contestant,
        operation=operation,
        nginx_workers=nginx_workers,
        identities=(contestant, operation) == ("footfall", "count"),
    )


def _throughput(results: Results) -> str:
    rows = _rows()
    series = {
        title: [
            results.median(_cell(results, name, what, workers), "per_second")
            for _, name, what in rows
        ]
        for title, workers in (("directly", 0), ("behind nginx", 1))
    }
    return plots.bars("Throughput", "requests per second", [row[0] for row in rows], series)


def _cpu(results: Results) -> str:
    rows = _rows()
    cells = [_cell(results, name, what, 1) for _, name, what in rows]
    series = {
        title: [results.median(cell, figure) for cell in cells]
        for title, figure in (("server", "server_us"), ("Redis", "redis_us"), ("nginx", "nginx_us"))
    }
    return plots.stacked("CPU behind nginx", "µs per request", [row[0] for row in rows], series)


def _latency(results: Results) -> str:
    series = {}
    places = [1 / (1 - quantile) for quantile in QUANTILES]
    for cell in results.cells("latency"):
        if cell.operation == "count" and not cell.direct:
            label = f"{_TITLES[cell.contestant]}, {cell.rate:,}/s"
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
    keys = list(dict.fromkeys(cell.instance for cell in results.cells("shape")))
    names = [
        f"{replicas} replica(s) × {workers} worker(s)" for workers, replicas in map(shape_of, keys)
    ]
    series = {
        f"{operation}, nginx with {workers}": [
            results.median(
                results.cell("shape", instance=key, operation=operation, nginx_workers=workers),
                "per_second",
            )
            for key in keys
        ]
        for operation in ("ping", "count")
        for workers in FEW
    }
    return plots.bars("Shapes of Footfall behind nginx", "requests per second", names, series)


def _sockets(results: Results) -> str:
    contestants = list(dict.fromkeys(cell.contestant for cell in results.cells("sockets")))
    names = [f"{_TITLES[name]}, nginx with {workers}" for name in contestants for workers in FEW]
    series = {
        title: [
            results.median(cell, "per_second")
            for cell in sorted(
                results.cells("sockets"), key=lambda c: contestants.index(c.contestant)
            )
            if cell.instance.endswith(f"@{transport}")
        ]
        for title, transport in (("Unix socket", "unix"), ("TCP", "tcp"))
    }
    return plots.bars("Pings behind nginx", "requests per second", names, series)
