"""Asking once."""

import reprlib
import time
from dataclasses import dataclass

from .. import proc
from ..clock import Clock
from ..errors import BenchError
from .questions import Question
from .stage import AnyStage

_TOO_SLOW = 503
_CREATED, _CONFLICT = 201, 409


@dataclass(frozen=True)
class Sample:
    """How long an answer took."""

    milliseconds: float
    # What the service and the database took of the CPU for it.
    cpu_milliseconds: float
    # What other programs took of the CPU meanwhile, in CPU milliseconds. It is told in ticks of 10 ms: only the sum of
    # many says something.
    foreign_milliseconds: float
    # How many visitors there are; None where it would have taken longer than there is time for a question.
    size: int | None


@dataclass(frozen=True)
class List:
    """How a list of members came."""

    members: int
    first_byte_milliseconds: float
    seconds: float
    # The most that the service had of the machine's memory, above what it had before.
    memory_mb: float


def save(stage: AnyStage, question: Question) -> str:
    """The id of an audience, which is made if there is none."""
    new = {"name": question.name, "filter": question.filter}
    status, answer = stage.client.request("POST", "/api/audiences", stage.headers, new)
    if status == _CREATED:
        return answer["id"]
    if status == _CONFLICT and "existing" in answer:
        return answer["existing"]["id"]
    raise BenchError(f"the audience {question.name} cannot be made: {status} {answer}")


def size(stage: AnyStage, audience: str) -> Sample:
    """Asks how many are in it."""
    path = f"/api/audiences/{audience}/size"
    clock = Clock(stage.cpu_seconds)
    status, answer = stage.client.request("GET", path, stage.headers)
    if status not in (200, _TOO_SLOW):
        raise BenchError(f"{path} answered {status}: {reprlib.repr(answer)}")
    took = clock.took()
    found = answer["size"] if status == 200 else None
    return Sample(
        milliseconds=took.seconds * 1000,
        cpu_milliseconds=took.cpu_seconds * 1000,
        foreign_milliseconds=took.foreign_seconds * 1000,
        size=found,
    )


def members(stage: AnyStage, audience: str) -> List:
    """Reads all of its members."""
    server = stage.instance.servers[0]
    proc.forget_peak(server.pid)
    before = proc.peak_mb(server.pid)
    began = time.perf_counter()
    with stage.client.stream(f"/api/audiences/{audience}/members", stage.headers) as response:
        if response.status != 200:
            raise BenchError(f"members of {audience}: {response.status} {response.read()!r}")
        lines = response.read(1).count(b"\n")
        first = time.perf_counter() - began
        while some := response.read(1 << 16):
            lines += some.count(b"\n")
    seconds = time.perf_counter() - began
    return List(lines, first * 1000, seconds, proc.peak_mb(server.pid) - before)
