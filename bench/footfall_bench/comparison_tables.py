"""The page of a comparison: docs/benchmarks/results.md."""

from collections.abc import Iterator

from .cells import BUSY_RATE, EASY_RATE, Cell, shape_of
from .contestants import ALL
from .markdown import number, section, share, table
from .quiet import quietness
from .results import Results
from .spread import Spread
from .targets import targets

_TITLES = {contestant.name: contestant.title for contestant in ALL}


def page(results: Results) -> str:
    """All of it."""
    head = (
        "# Results\n\n"
        "Made by `./bench/run.sh`; [what the columns mean](README.md#columns), "
        "[how far to trust them](README.md#how-fair-it-is). "
        "Figures are medians; ± is half the distance between the lowest and the highest.\n\n"
        f"{_origin(results)}\n\n{quietness(results.foreign_share())}\n"
    )
    sections = [
        section(
            "Targets",
            table(["Target", "Limit", "Measured", ""], (t.row() for t in targets(results))),
        ),
        section(
            "Directly, over TCP",
            "![Throughput](throughput.svg)",
            _throughput(results, behind=False),
        ),
        section(
            "Behind nginx, over Unix sockets", _throughput(results, behind=True), "![CPU](cpu.svg)"
        ),
        section("Latency", *_latency(results), "![Latency](latency.svg)"),
        section("Logins", _logins(results)),
        section("Memory and start", _memory(results)),
        section(
            "Worker threads, replicas, nginx workers", _shapes(results), "![Shapes](shapes.svg)"
        ),
        section("Unix sockets or TCP behind nginx", _sockets(results), "![Sockets](sockets.svg)"),
    ]
    return "\n".join([head, *sections])


def _origin(results: Results) -> str:
    meta = results.meta
    versions = ", ".join(f"{name} {version}" for name, version in meta["versions"].items())
    return (
        f"Revision {meta['revision']}, {meta['date']}; {meta['cores']} cores of {meta['cpu']}, "
        f"Linux {meta['kernel']}; {versions}. "
        f"Rounds, each in an order of its own: {meta['repetitions']} (seed {meta['seed']}); "
        f"{meta['seconds']} s for each measurement, {meta['connections']} connections."
    )


def _name(cell: Cell) -> str:
    what = cell.operation
    if cell.operation == "count" and cell.contestant == "footfall":
        what += ", with identities" if cell.identities else ", without"
    return f"{_TITLES[cell.contestant]}: {what}"


def _rate(spread: Spread) -> list[str]:
    return [number(spread.median), f"{spread.percent:.0f} %"]


def _throughput(results: Results, *, behind: bool) -> str:
    cells = [cell for cell in results.cells("throughput") if cell.direct != behind]
    cells.sort(key=lambda cell: (cell.operation != "ping", -results.median(cell, "per_second")))
    limit = results.median(next(cell for cell in cells if cell.contestant == "hyper"), "server_us")
    head = [
        "",
        "per second",
        "±",
        "server µs",
        "× bare hyper",
        "Redis µs, main thread",
        "calls of Redis",
        "load",
    ]
    if behind:
        head.insert(5, "nginx µs")

    def row(cell: Cell) -> list[str]:
        server = results.median(cell, "server_us")
        counts = cell.operation == "count"
        row = [
            _name(cell),
            *_rate(results.spread(cell, lambda sample: sample.per_second)),
            number(server),
            number(server / limit),
            number(results.median(cell, "redis_us")) if counts else "–",
            number(results.median(cell, "redis_calls")) if counts else "–",
            share(results.median(cell, "load_share")),
        ]
        if behind:
            row.insert(5, number(results.median(cell, "nginx_us")))
        return row

    return table(head, map(row, cells))


def _latency(results: Results) -> Iterator[str]:
    for rate, direct in ((EASY_RATE, True), (EASY_RATE, False), (BUSY_RATE, False)):
        cells = [
            cell for cell in results.cells("latency") if cell.rate == rate and cell.direct is direct
        ]
        cells.sort(key=lambda cell: (cell.operation != "ping", results.median(cell, "p50_us")))
        how = "Directly, over TCP" if direct else "Behind nginx"
        yield (
            f"{how}: {rate:,} requests per second are due, whatever the answers do; µs from when a "
            "request was due."
        )

        def row(cell: Cell) -> list[str]:
            quantiles = results.quantiles_us(cell)
            p99 = results.spread(cell, lambda sample: sample.p99_us)
            return [
                _name(cell),
                number(quantiles[0]),
                number(quantiles[4]),
                f"{number(p99.low)} to {number(p99.high)}",
                number(quantiles[-1]),
                number(results.median(cell, "per_second")),
                number(results.median(cell, "lateness_p99_us")),
                share(results.median(cell, "load_share")),
            ]

        head = [
            "",
            "p50",
            "p99",
            "p99 of the rounds",
            "p99.9",
            "answers per second",
            "generator late, p99",
            "load",
        ]
        yield table(head, map(row, cells))


def _logins(results: Results) -> str:
    def row(cell: Cell) -> list[str]:
        return [
            _TITLES[cell.contestant],
            "directly" if cell.direct else "behind nginx",
            *_rate(results.spread(cell, lambda sample: sample.per_second)),
            number(results.median(cell, "server_us") / 1000),
        ]

    head = ["", "reached", "logins per second", "±", "server CPU, ms"]
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
            _TITLES[name],
            f"{first.median:.1f}",
            f"{first.low:.1f} to {first.high:.1f}",
            *(f"{value:.1f}" for value in memory),
        ]

    head = [
        "", "first answer, ms", "of all starts", "idle RSS, MB", "idle PSS, MB",
        "RSS after the load, MB", "PSS after the load, MB",
    ]  # fmt: skip
    return table(head, map(row, results.comparison.starts))


def _shapes(results: Results) -> str:
    cells = results.cells("shape")
    cells.sort(key=lambda cell: (cell.operation != "ping", -results.median(cell, "per_second")))

    def row(cell: Cell) -> list[str]:
        workers, replicas = shape_of(cell.instance)
        server, nginx = results.median(cell, "server_us"), results.median(cell, "nginx_us")
        return [
            cell.operation,
            str(workers),
            str(replicas),
            str(cell.nginx_workers),
            *_rate(results.spread(cell, lambda sample: sample.per_second)),
            number(server),
            number(nginx),
            number(results.median(cell, "redis_calls")) if cell.operation == "count" else "–",
        ]

    head = [
        "", "worker threads", "replicas", "nginx workers", "per second", "±", "server µs", "nginx µs",
        "calls of Redis",
    ]  # fmt: skip
    return table(head, map(row, cells))


def _sockets(results: Results) -> str:
    unix = [cell for cell in results.cells("sockets") if cell.instance.endswith("@unix")]

    def row(cell: Cell) -> list[str]:
        over_tcp = next(
            other
            for other in results.cells("sockets")
            if other.instance.endswith("@tcp")
            and (other.contestant, other.nginx_workers) == (cell.contestant, cell.nginx_workers)
        )
        rates, cpus = [], []
        for each in (over_tcp, cell):
            rates.append(results.spread(each, lambda sample: sample.per_second))
            cpus.append(
                results.spread(each, lambda sample: sample.server_us + sample.nginx_us).median
            )
        return [
            _TITLES[cell.contestant],
            str(cell.nginx_workers),
            *(text for rate in rates for text in _rate(rate)),
            number(rates[1].median / rates[0].median),
            *map(number, cpus),
            number(cpus[1] / cpus[0]),
        ]

    head = [
        "Pings", "nginx workers", "TCP, per second", "±", "Unix, per second", "±", "Unix ÷ TCP",
        "TCP: server + nginx µs", "Unix: server + nginx µs", "Unix ÷ TCP",
    ]  # fmt: skip
    return table(head, map(row, unix))
