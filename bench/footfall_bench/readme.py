"""The parts of the project's README that are measured."""

from collections.abc import Iterator

from .cells import PLACES, Cell, is_exact
from .comparison_sections import other_socket
from .contestants import COUNTING, FASTIFY_EXACT, FOOTFALL_AS_SHIPPED, HYPER_LIMIT, Contestant
from .markdown import number, table
from .plans import CONNECTIONS, MANY_CONNECTIONS
from .results import Results

# What the page has places for.
PARTS = ("speed", "sockets")

_NAMES = {"hyper": "bare hyper, which does nothing", "flask": "Flask, gunicorn"}


def blocks(results: Results) -> dict[str, str]:
    """The parts by their names in the page."""
    return {"speed": _speed(results), "sockets": _sockets(results)}


def _speed(results: Results) -> str:
    ours, theirs = (_count(results, one, 1) for one in (FOOTFALL_AS_SHIPPED, FASTIFY_EXACT))
    rates = [results.median(cell, "per_second") for cell in (ours, theirs)]
    cpus = [results.median(cell, "server_us") for cell in (ours, theirs)]
    like_for_like = (
        f"Counting exactly once behind nginx, with {MANY_CONNECTIONS} connections, Footfall answers "
        f"**{rates[0] / rates[1]:.1f} times as many visits per second** as a Fastify that makes the same promise "
        f"({number(rates[0])} against {number(rates[1])}), "
        f"for {number(cpus[0])} µs of CPU each against {number(cpus[1])}."
    )
    head = [
        "", "a visit is counted", f"counts per second behind nginx, {MANY_CONNECTIONS} connections",
        f"{CONNECTIONS} connections", "count directly, µs", "ping directly, µs", "idle, MB", "first answer, ms",
    ]  # fmt: skip
    rows = [_row(results, contestant) for contestant in (*COUNTING, HYPER_LIMIT)]
    return f"{like_for_like}\n\n{table(head, rows)}"


def _row(results: Results, contestant: Contestant) -> list[str]:
    name = contestant.name
    counts = ["–"] * 4
    if contestant.counts:
        counts = [
            "exactly once" if is_exact(contestant) else "increments only",
            *(
                number(results.median(_count(results, contestant, 1, connections), "per_second"))
                for connections in (MANY_CONNECTIONS, CONNECTIONS)
            ),
            number(results.median(_count(results, contestant, 0, CONNECTIONS), "server_us")),
        ]
    # It is the same program as Fastify, but for what a visit does.
    rest = ["–"] * 3
    if contestant is not FASTIFY_EXACT:
        ping = results.cell(
            "throughput", contestant=name, operation="ping", nginx_workers=0, connections=CONNECTIONS
        )
        rest = [
            number(results.median(ping, "server_us")),
            number(results.idle_mb(name, "rss_mb").median),
            number(results.first_answer_ms(name).median),
        ]
    return [_NAMES.get(name, contestant.title), *counts, *rest]


def _count(
    results: Results, contestant: Contestant, place: int, connections: int = MANY_CONNECTIONS
) -> Cell:
    return results.cell(
        "throughput", contestant=contestant.name, operation="count", nginx_workers=place,
        identities=is_exact(contestant), connections=connections,
    )  # fmt: skip


def _sockets(results: Results) -> str:
    return "In this run they brought " + "; ".join(_by_socket(results)) + "."


def _by_socket(results: Results) -> Iterator[str]:
    for place in PLACES:
        for contestant, title in (("footfall", "Footfall"), ("hyper", "bare hyper"), ("fastify", "Fastify")):
            cell = next(
                cell
                for cell in results.cells("sockets")
                if cell.entrant.endswith("@unix")
                and (cell.contestant, cell.nginx_workers) == (contestant, place)
            )
            over_tcp = other_socket(results, cell)
            rate = results.median(cell, "per_second") / results.median(over_tcp, "per_second")
            cpus = [
                results.spread(each, lambda sample: sample.server_us + sample.nginx_us).median
                for each in (cell, over_tcp)
            ]
            where = "behind nginx" if place else "directly"
            cpu = _change(cpus[0] / cpus[1], "less")
            yield f"{title} {_change(rate)} pings per second {where}, each with {cpu} CPU"


def _change(ratio: float, fewer: str = "fewer") -> str:
    percent = 100 * (ratio - 1)
    return f"{abs(percent):.0f} % {'more' if percent >= 0 else fewer}"
