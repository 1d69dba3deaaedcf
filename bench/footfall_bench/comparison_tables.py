"""The page of a comparison: docs/benchmarks/results.md."""

from collections.abc import Iterator

from . import comparison_sections as more
from .cells import BUSY_RATE, EASY_RATE, LOADS, Cell
from .markdown import number, section, share, table
from .quiet import quietness
from .record.session import Session
from .results import Results
from .tables import TITLES, name, rate
from .targets import targets


def page(results: Results, recorded: Session) -> str:
    """All of it."""
    head = (
        "# Results\n\n"
        "Made by `./bench/run.sh`; [what the columns mean](README.md#columns), "
        "[how far to trust them](README.md#how-fair-it-is). "
        "Figures are medians; ± is half the distance between the lowest and the highest. "
        "Everything is over Unix sockets, but where it says TCP.\n\n"
        f"{_origin(results)}\n\n{quietness(results.foreign_share())}\n"
    )
    sections = [
        section(
            "Targets",
            table(["Target", "Limit", "Measured", ""], (t.row() for t in targets(results))),
        ),
        section("Behind nginx", *_throughput(results, behind=True), "![CPU](cpu.svg)"),
        section("Directly", *_throughput(results, behind=False), "![Throughput](throughput.svg)"),
        section("Against an earlier revision", more.previous(results)),
        section("Where counts are kept", more.kept(results, recorded)),
        section("Latency", *_latency(results), "![Latency](latency.svg)"),
        section("Logins", _logins(results)),
        section("Memory and start", _memory(results)),
        section(
            "Worker threads, replicas, nginx workers", more.shapes(results), "![Shapes](shapes.svg)"
        ),
        section("In a container of one CPU", more.one_cpu(results)),
        section("Unix sockets or TCP", more.sockets(results), "![Sockets](sockets.svg)"),
    ]
    return "\n".join([head, *sections])


def _origin(results: Results) -> str:
    meta = results.meta
    versions = ", ".join(f"{name} {version}" for name, version in meta["versions"].items())
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, "
        f"Linux {meta['kernel']}; {versions}. "
        f"Rounds, each in an order of its own: {meta['repetitions']} (seed {meta['seed']}); "
        f"{meta['seconds']} s for each measurement."
    )


def _throughput(results: Results, *, behind: bool) -> Iterator[str]:
    for connections in reversed(LOADS):
        yield f"{connections} connections:"
        yield _with_connections(results, connections, behind=behind)


def _with_connections(results: Results, connections: int, *, behind: bool) -> str:
    cells = [
        cell
        for cell in results.cells("throughput")
        if cell.direct != behind and cell.connections == connections
    ]
    # The visits that are worth the same first.
    cells.sort(
        key=lambda cell: (
            cell.operation != "count", not cell.identities, -results.median(cell, "per_second"),
        )
    )  # fmt: skip
    limit = results.median(next(cell for cell in cells if cell.contestant == "hyper"), "server_us")
    head = ["", "per second", "±", "server µs", "× bare hyper", *(["nginx µs"] if behind else []),
            "Redis µs, main thread", "load µs", "all µs", "calls of Redis", "idle"]  # fmt: skip

    def row(cell: Cell) -> list[str]:
        counts = cell.operation == "count"
        server = results.median(cell, "server_us")
        return [
            name(cell),
            *rate(results.spread(cell, lambda sample: sample.per_second)),
            number(server),
            number(server / limit),
            *([number(results.median(cell, "nginx_us"))] if behind else []),
            number(results.median(cell, "redis_us")) if counts else "–",
            number(results.median(cell, "load_us")),
            number(results.spread(cell, lambda sample: sample.all_us).median),
            number(results.median(cell, "redis_calls")) if counts else "–",
            share(results.median(cell, "idle_share")),
        ]

    return table(head, map(row, cells))


def _latency(results: Results) -> Iterator[str]:
    for due, direct in ((EASY_RATE, True), (EASY_RATE, False), (BUSY_RATE, False)):
        cells = [
            cell for cell in results.cells("latency") if cell.rate == due and cell.direct is direct
        ]
        cells.sort(key=lambda cell: (cell.operation != "ping", results.median(cell, "p50_us")))
        how = "Directly" if direct else "Behind nginx"
        yield (
            f"{how}: {due:,} requests per second are due, whatever the answers do; µs from when a "
            "request was due."
        )

        def row(cell: Cell) -> list[str]:
            quantiles = results.quantiles_us(cell)
            p99 = results.spread(cell, lambda sample: sample.p99_us)
            return [
                name(cell),
                number(quantiles[0]),
                number(quantiles[4]),
                f"{number(p99.low)} to {number(p99.high)}",
                number(quantiles[-1]),
                number(results.median(cell, "per_second")),
                number(results.median(cell, "lateness_p99_us")),
                share(results.median(cell, "load_share")),
            ]

        head = ["", "p50", "p99", "p99 of the rounds", "p99.9", "answers per second",
                "generator late, p99", "load"]  # fmt: skip
        yield table(head, map(row, cells))


def _logins(results: Results) -> str:
    def row(cell: Cell) -> list[str]:
        return [
            TITLES[cell.contestant],
            *rate(results.spread(cell, lambda sample: sample.per_second)),
            number(results.median(cell, "server_us") / 1000),
        ]

    head = ["", "logins per second", "±", "server CPU, ms"]
    return table(head, map(row, results.cells("login")))


def _memory(results: Results) -> str:
    def row(name: str) -> list[str]:
        first = results.first_answer_ms(name)
        memory = (
            results.idle_mb(name, "rss_mb").median,
            results.idle_mb(name, "pss_mb").median,
            results.loaded_mb(name, "rss_mb"),
            results.loaded_mb(name, "pss_mb"),
        )
        return [
            TITLES[name],
            f"{first.median:.1f}",
            f"{first.low:.1f} to {first.high:.1f}",
            *(f"{value:.1f}" for value in memory),
        ]

    head = [
        "", "first answer, ms", "of all starts", "idle RSS, MB", "idle PSS, MB",
        "RSS after the load, MB", "PSS after the load, MB",
    ]  # fmt: skip
    return table(head, map(row, results.comparison.starts))
