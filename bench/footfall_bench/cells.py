"""What is measured: each cell is one service, reached one way, asked one thing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .contestants import (
    ALL,
    COUNTING,
    FASTIFY_CLUSTER,
    FASTIFY_EXACT,
    FOOTFALL_AS_SHIPPED,
    FOOTFALL_FORGETFUL,
    FOOTFALL_TRUSTING,
    HYPER_LIMIT,
    LOGGING_IN,
    PREVIOUS,
    Contestant,
)
from .entrants import EMBEDDED, EMBEDDED_RECORDED, ONE_CPU_SHAPES, SHAPES, WORKERS, Extras, Shape, key
from .plans import CONNECTIONS, LOGIN_CONNECTIONS, MANY_CONNECTIONS

# Requests per second of the loads with a schedule. The first is one that every contestant can take.
EASY_RATE = 1_000
BUSY_RATE = 10_000

# Connections of the loads without one.
LOADS = (CONNECTIONS, MANY_CONNECTIONS)
# Directly, and behind an nginx of one worker.
PLACES = (0, 1)


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to measure."""

    # The section it is shown in.
    part: str
    # The service, and the key of the entrant that serves it.
    contestant: str
    entrant: str
    # ping, count or login
    operation: str
    # 0: reached directly.
    nginx_workers: int = 0
    # Whether each visit's identity is remembered.
    identities: bool = False
    connections: int = CONNECTIONS
    # None: as many as can be.
    rate: int | None = None

    @property
    def direct(self) -> bool:
        return self.nginx_workers == 0

    @property
    def subject(self) -> "Cell":
        """What is measured, wherever it is shown: cells that have it in common are measured once."""
        return replace(self, part="")

    @property
    def own_ids(self) -> bool:
        """Whether the load generator sends the ids: behind nginx, nginx does."""
        return self.direct and self.operation == "count"


def is_exact(contestant: Contestant) -> bool:
    """Whether it counts a visit once, however often it comes."""
    return contestant in (FOOTFALL_AS_SHIPPED, FASTIFY_EXACT)


def throughput(extras: Extras) -> Iterator[Cell]:
    """Everyone, directly and behind nginx, with few connections and with many."""
    for connections in LOADS:
        for place in PLACES:

            def cell(name: str, operation: str, *, identities: bool = False, entrant: str = "") -> Cell:
                where = entrant or f"{name}@unix"
                return Cell("throughput", name, where, operation, place, identities, connections)

            for contestant in ALL:
                yield cell(contestant.name, "ping")
            for contestant in COUNTING:
                yield cell(contestant.name, "count", identities=is_exact(contestant))
            yield cell(FOOTFALL_AS_SHIPPED.name, "count", entrant=key(FOOTFALL_FORGETFUL))
            if extras.previous is not None:
                yield cell(PREVIOUS, "ping")
                yield cell(PREVIOUS, "count", identities=True)


def logins() -> Iterator[Cell]:
    """Everyone who knows passwords."""
    for contestant in LOGGING_IN:
        name, where = contestant.name, key(contestant)
        yield Cell("login", name, where, "login", connections=LOGIN_CONNECTIONS)


def latency() -> Iterator[Cell]:
    """At rates that do not depend on how fast the answers come."""

    def cell(contestant: Contestant, operation: str, rate: int, *, direct: bool = False) -> Cell:
        identities = operation == "count" and is_exact(contestant)
        place = 0 if direct else 1
        return Cell(
            "latency", contestant.name, key(contestant), operation, place, identities, rate=rate
        )

    for contestant in (HYPER_LIMIT, FOOTFALL_AS_SHIPPED):
        yield cell(contestant, "ping", EASY_RATE, direct=True)
    for contestant in COUNTING:
        yield cell(contestant, "count", EASY_RATE, direct=True)
    for contestant in ALL:
        yield cell(contestant, "ping", EASY_RATE)
    for contestant in COUNTING:
        yield cell(contestant, "count", EASY_RATE)
    for contestant in (HYPER_LIMIT, FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER):
        yield cell(contestant, "ping", BUSY_RATE)
    for contestant in (FOOTFALL_AS_SHIPPED, FASTIFY_EXACT, FASTIFY_CLUSTER):
        yield cell(contestant, "count", BUSY_RATE)


def shapes(extras: Extras) -> Iterator[Cell]:
    """Worker threads, replicas and nginx' workers."""

    def pair(part: str, shape: Shape, place: int, connections: int = CONNECTIONS) -> Iterator[Cell]:
        for operation in ("ping", "count"):
            identities = operation == "count"
            yield Cell(part, "footfall", shape.key, operation, place, identities, connections)

    for workers in WORKERS:
        for place in PLACES:
            for connections in LOADS:
                yield from pair("shape", Shape(workers), place, connections)
        yield from pair("shape", Shape(workers), 2)
    for shape in SHAPES:
        if shape.replicas > 1:
            yield from pair("shape", shape, 1)
    if extras.one_cpu:
        for shape in ONE_CPU_SHAPES:
            for place in PLACES:
                for connections in LOADS:
                    yield from pair("one-cpu", shape, place, connections)


def sockets() -> Iterator[Cell]:
    """The same over TCP and over a Unix socket, directly and to nginx' upstream."""
    for contestant in (HYPER_LIMIT, FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER):
        for place in PLACES:
            for transport in ("tcp", "unix"):
                # A peer on a Unix socket is trusted; the other must be, too, or Footfall does more.
                trusted = contestant is FOOTFALL_AS_SHIPPED and transport == "tcp"
                where = key(FOOTFALL_TRUSTING if trusted else contestant, transport)
                yield Cell("sockets", contestant.name, where, "ping", place)


def kept() -> Iterator[Cell]:
    """Where the counts are: in Redis or in a file, which may record each visit, too."""
    for connections in LOADS:
        for entrant in (key(FOOTFALL_AS_SHIPPED), EMBEDDED, EMBEDDED_RECORDED):
            yield Cell("kept", "footfall", entrant, "count", 0, True, connections)


def every_cell(extras: Extras) -> list[Cell]:
    """All of them."""
    return [*throughput(extras), *logins(), *latency(), *shapes(extras), *sockets(), *kept()]
