"""What is measured: each cell is one service, reached one way, asked one thing."""

from collections.abc import Iterator
from dataclasses import dataclass

from .contestants import (
    ALL,
    COUNTING,
    FASTIFY_CLUSTER,
    FOOTFALL_AS_SHIPPED,
    HYPER_LIMIT,
    Contestant,
)
from .plans import CONNECTIONS, LOGIN_CONNECTIONS

# Requests per second of the loads with a schedule. The first is one that every contestant can take.
EASY_RATE = 1_000
BUSY_RATE = 10_000


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to measure."""

    part: str
    # The service, and the key of the instance that serves it.
    contestant: str
    instance: str
    # ping, count or login
    operation: str
    # 0: reached directly, over TCP.
    nginx_workers: int = 0
    # Whether each visit has an identity.
    identities: bool = False
    connections: int = CONNECTIONS
    # None: as many as can be.
    rate: int | None = None

    @property
    def direct(self) -> bool:
        return self.nginx_workers == 0

    @property
    def own_ids(self) -> bool:
        """Whether the load generator sends the ids: behind nginx, nginx does."""
        return self.direct and self.identities


def instance_key(contestant: Contestant, transport: str) -> str:
    """The instance of a contestant on `tcp` or `unix`."""
    return f"{contestant.name}@{transport}"


def shape_key(workers: int, replicas: int) -> str:
    """The instance of Footfall of this shape."""
    return f"footfall-{workers}w{replicas}r"


def throughput() -> Iterator[Cell]:
    """Everyone, directly and behind nginx. Only Footfall can do with and without identities."""
    for contestant in ALL:
        name, tcp, unix = (
            contestant.name,
            instance_key(contestant, "tcp"),
            instance_key(contestant, "unix"),
        )
        yield Cell("throughput", name, tcp, "ping")
        yield Cell("throughput", name, unix, "ping", nginx_workers=1)
        if not contestant.counts:
            continue
        yield Cell("throughput", name, tcp, "count")
        if contestant is FOOTFALL_AS_SHIPPED:
            yield Cell("throughput", name, "footfall-trusting@tcp", "count", identities=True)
            yield Cell("throughput", name, "footfall-forgetful@unix", "count", nginx_workers=1)
            yield Cell("throughput", name, unix, "count", nginx_workers=1, identities=True)
        else:
            yield Cell("throughput", name, unix, "count", nginx_workers=1)


def logins() -> Iterator[Cell]:
    """Everyone who knows passwords."""
    for contestant in COUNTING:
        key = instance_key(contestant, "tcp")
        yield Cell("login", contestant.name, key, "login", connections=LOGIN_CONNECTIONS)


def latency() -> Iterator[Cell]:
    """Behind nginx, at rates that do not depend on how fast the answers come."""

    def cell(contestant: Contestant, operation: str, rate: int) -> Cell:
        identities = contestant is FOOTFALL_AS_SHIPPED and operation == "count"
        key = instance_key(contestant, "unix")
        return Cell(
            "latency", contestant.name, key, operation,
            nginx_workers=1, identities=identities, rate=rate,
        )  # fmt: skip

    for contestant in ALL:
        yield cell(contestant, "ping", EASY_RATE)
    for contestant in COUNTING:
        yield cell(contestant, "count", EASY_RATE)
    yield cell(HYPER_LIMIT, "ping", BUSY_RATE)
    for contestant in (FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER):
        yield cell(contestant, "ping", BUSY_RATE)
        yield cell(contestant, "count", BUSY_RATE)


def shapes() -> Iterator[Cell]:
    """Worker threads, replicas and nginx' workers."""
    for workers in (1, 2):
        for replicas in (1, 2):
            for nginx_workers in (1, 2):
                key = shape_key(workers, replicas)
                yield Cell("shape", "footfall", key, "ping", nginx_workers)
                yield Cell("shape", "footfall", key, "count", nginx_workers, identities=True)


def sockets() -> Iterator[Cell]:
    """The same behind nginx over TCP and over a Unix socket."""
    for contestant in (HYPER_LIMIT, FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER):
        for nginx_workers in (1, 2):
            for transport in ("tcp", "unix"):
                key = instance_key(contestant, transport)
                yield Cell("sockets", contestant.name, key, "ping", nginx_workers)


def every_cell() -> list[Cell]:
    """All of them."""
    return [*throughput(), *logins(), *latency(), *shapes(), *sockets()]
