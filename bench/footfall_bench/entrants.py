"""Who takes part in a comparison, and how each runs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .contestants import (
    ALL,
    FASTIFY_CLUSTER,
    FASTIFY_EXACT,
    FOOTFALL_FORGETFUL,
    FOOTFALL_TRUSTING,
    HYPER_LIMIT,
    SHIPPED_WORKERS,
    Contestant,
    footfall,
    previous,
)
from .proc import CORES


@dataclass(frozen=True)
class Extras:
    """What takes part only where it can."""

    # The program of an earlier revision.
    previous: Path | None
    # Whether the machine lets a program have the time of one CPU and no more.
    one_cpu: bool


@dataclass(frozen=True)
class Shape:
    """How much of Footfall there is."""

    workers: int
    replicas: int = 1
    # All of it together has the time of one CPU, as a container may.
    one_cpu: bool = False

    @property
    def key(self) -> str:
        """One of them is what is shipped."""
        if self == Shape(SHIPPED_WORKERS):
            return key(footfall("footfall"))
        return f"footfall-{self.workers}w{self.replicas}r{'-1cpu' if self.one_cpu else ''}"


# On one core there are two workers all the same, to have something to compare.
WORKERS = (1, max(2, CORES))
SHAPES = (*map(Shape, WORKERS), Shape(1, replicas=2))
ONE_CPU_SHAPES = (Shape(1, one_cpu=True), Shape(2, one_cpu=True))

# Counts in a file, without a Redis; of the second every visit is recorded as well.
EMBEDDED = "footfall-embedded"
EMBEDDED_RECORDED = "footfall-embedded-recorded"


@dataclass(frozen=True)
class Entrant:
    """A contestant, and how it runs."""

    key: str
    contestant: Contestant
    unix: bool = True
    replicas: int = 1
    one_cpu: bool = False
    # Whether its visits are recorded; None: nobody is asked, since without a database they cannot be.
    recorded: bool | None = None


def key(contestant: Contestant, transport: str = "unix") -> str:
    """That of a contestant on `tcp` or `unix`."""
    return f"{contestant.name}@{transport}"


def shape_of(wanted: str) -> Shape:
    """The shape that has this key."""
    return next(shape for shape in (*SHAPES, *ONE_CPU_SHAPES) if shape.key == wanted)


def entrants(extras: Extras, disk: Path) -> Iterator[Entrant]:
    """All of them; those with a file of their own have it in a folder there."""
    for contestant in (*ALL, FASTIFY_EXACT, FOOTFALL_FORGETFUL):
        yield Entrant(key(contestant), contestant)
    for contestant in (HYPER_LIMIT, FOOTFALL_TRUSTING, FASTIFY_CLUSTER):
        yield Entrant(key(contestant, "tcp"), contestant, unix=False)
    if extras.previous is not None:
        contestant = previous(extras.previous)
        yield Entrant(key(contestant), contestant)
    for shape in (*SHAPES, *(ONE_CPU_SHAPES if extras.one_cpu else ())):
        if shape != Shape(SHIPPED_WORKERS):
            contestant = footfall(shape.key, FOOTFALL_WORKERS=str(shape.workers))
            yield Entrant(
                shape.key, contestant, replicas=shape.replicas, one_cpu=shape.one_cpu
            )
    for name, recorded in ((EMBEDDED, False), (EMBEDDED_RECORDED, True)):
        contestant = replace(footfall(name, FOOTFALL_DATA_DIR=str(disk / name)), store=None)
        yield Entrant(name, contestant, recorded=recorded)
