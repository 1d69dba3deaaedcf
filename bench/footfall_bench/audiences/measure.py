"""Asking once."""

import reprlib
import time
from dataclasses import dataclass

from .. import proc
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


class _Clock:
    """What passes while something is done."""

    def __init__(self, stage: AnyStage) -> None:
        self._stage = stage
        self._cpu = stage.cpu_seconds()
        self._machine = proc.machine_busy_seconds()
        self._began = time.perf_counter()

    def sample(self, size: int | None) -> Sample:
        elapsed = time.perf_counter() - self._began
        cpu = self._stage.cpu_seconds() - self._cpu
        foreign = proc.machine_busy_seconds() - self._machine - cpu
        return Sample(elapsed * 1000, cpu * 1000, foreign * 1000, size)


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
    clock = _Clock(stage)
    status, answer = stage.client.request("GET", path, stage.headers)
    if status not in (200, _TOO_SLOW):
        raise BenchError(f"{path} answered {status}: {reprlib.repr(answer)}")
    return clock.sample(answer["size"] if status == 200 else None)


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
