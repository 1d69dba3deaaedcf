"""What is measured: each cell is one service, reached one way, asked one thing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .contestants import (
    ALL,
    COUNTING,
    FASTIFY_CLUSTER,
    FOOTFALL_AS_SHIPPED,
    FOOTFALL_TRUSTING,
    HYPER_LIMIT,
    Contestant,
)
from .plans import CONNECTIONS, LOGIN_CONNECTIONS
from .proc import CORES

# Requests per second of the loads with a schedule. The first is one that every contestant can take.
EASY_RATE = 1_000
BUSY_RATE = 10_000

# Of Footfall's worker threads; on one core there are two all the same, to have something to compare.
WORKERS = (1, max(2, CORES))
FEW = (1, 2)


@dataclass(frozen=True, order=True)
class Cell:
    """One thing to measure."""

    # The section it is shown in.
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
    def subject(self) -> "Cell":
        """What is measured, wherever it is shown: cells that have it in common are measured once."""
        return replace(self, part="")

    @property
    def own_ids(self) -> bool:
        """Whether the load generator sends the ids: behind nginx, nginx does."""
        return self.direct and self.identities


def instance_key(contestant: Contestant, transport: str) -> str:
    """The instance of a contestant on `tcp` or `unix`."""
    return f"{contestant.name}@{transport}"


def shape_key(workers: int, replicas: int) -> str:
    """The instance of Footfall of this shape. One of them is what is shipped."""
    if (workers, replicas) == (CORES, 1):
        return instance_key(FOOTFALL_AS_SHIPPED, "unix")
    return f"footfall-{workers}w{replicas}r"


def shape_of(key: str) -> tuple[int, int]:
    """Worker threads and replicas of such an instance."""
    shapes = ((workers, replicas) for workers in WORKERS for replicas in FEW)
    return next(shape for shape in shapes if shape_key(*shape) == key)


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
            trusting = instance_key(FOOTFALL_TRUSTING, "tcp")
            yield Cell("throughput", name, trusting, "count", identities=True)
            yield Cell("throughput", name, "footfall-forgetful@unix", "count", nginx_workers=1)
            yield Cell("throughput", name, unix, "count", nginx_workers=1, identities=True)
        else:
            yield Cell("throughput", name, unix, "count", nginx_workers=1)


def logins() -> Iterator[Cell]:
    """Everyone who knows passwords."""
    for contestant in COUNTING:
        for transport, nginx_workers in (("tcp", 0), ("unix", 1)):
            key = instance_key(contestant, transport)
            yield Cell(
                "login", contestant.name, key, "login", nginx_workers, connections=LOGIN_CONNECTIONS
            )


def latency() -> Iterator[Cell]:
    """At rates that do not depend on how fast the answers come."""

    def cell(contestant: Contestant, operation: str, rate: int, *, direct: bool = False) -> Cell:
        identities = contestant is FOOTFALL_AS_SHIPPED and operation == "count"
        key = instance_key(contestant, "tcp" if direct else "unix")
        if direct and identities:
            key = instance_key(FOOTFALL_TRUSTING, "tcp")
        return Cell(
            "latency", contestant.name, key, operation,
            nginx_workers=0 if direct else 1, identities=identities, rate=rate,
        )  # fmt: skip

    for contestant in (HYPER_LIMIT, FOOTFALL_AS_SHIPPED):
        yield cell(contestant, "ping", EASY_RATE, direct=True)
    for contestant in COUNTING:
        yield cell(contestant, "count", EASY_RATE, direct=True)
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
    for workers in WORKERS:
        for replicas in FEW:
            for nginx_workers in FEW:
                key = shape_key(workers, replicas)
                yield Cell("shape", "footfall", key, "ping", nginx_workers)
                yield Cell("shape", "footfall", key, "count", nginx_workers, identities=True)


def sockets() -> Iterator[Cell]:
    """The same behind nginx over TCP and over a Unix socket."""
    for contestant in (HYPER_LIMIT, FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER):
        for nginx_workers in FEW:
            for transport in ("tcp", "unix"):
                # A peer on a Unix socket is trusted; the other must be, too, or Footfall does more.
                trusted = contestant is FOOTFALL_AS_SHIPPED and transport == "tcp"
                key = instance_key(FOOTFALL_TRUSTING if trusted else contestant, transport)
                yield Cell("sockets", contestant.name, key, "ping", nginx_workers)


def every_cell() -> list[Cell]:
    """All of them."""
    return [*throughput(), *logins(), *latency(), *shapes(), *sockets()]
