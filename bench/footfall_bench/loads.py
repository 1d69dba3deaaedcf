"""The load generator."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BenchError
from .http_client import Address
from .places import LOAD
from .processes import Command

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}

# Nanoseconds, and how often they were seen.
Histogram = list[tuple[int, int]]


@dataclass(frozen=True)
class LoadResult:
    """What became of a load."""

    requests: int
    seconds: float
    # The generator's own.
    cpu_seconds: float
    latency: Histogram = field(default_factory=list)
    # How late the generator itself was.
    lateness: Histogram = field(default_factory=list)


def bench_load(
    addresses: Sequence[Address],
    path: str,
    *,
    connections: int,
    seconds: float,
    headers: Mapping[str, str],
    rate: float | None = None,
    threads: int = 1,
    options: Sequence[str] = (),
) -> LoadResult:
    """Requests at their moments, if there is a rate; else each connection sends the next when it has its answer.

    It begins when all connections are open, and waits for the answer to the last request of each, so that none is
    left out of the count.
    """
    targets = [part for address in addresses for part in ("--target", address.text)]
    fields = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    pace = [] if rate is None else ["--rate", str(rate)]
    command: Command = [
        LOAD, *targets, "--path", path, "--connections", str(connections), "--seconds", str(seconds),
        "--threads", str(min(threads, connections)), *fields, *pace, *options,
    ]  # fmt: skip
    result, cpu_seconds = _run(command, _ENVIRONMENT)
    return LoadResult(
        result["requests"],
        result["seconds"],
        cpu_seconds,
        latency=[(value, count) for value, count in result["latency_ns"]],
        lateness=[(value, count) for value, count in result["lateness_ns"]],
    )


def quantile_us(histogram: Histogram, quantile: float) -> float:
    """The latency that this share of requests did not exceed."""
    wanted = quantile * sum(count for _, count in histogram)
    seen = 0
    for value, count in histogram:
        seen += count
        if seen >= wanted:
            return value / 1000
    return 0.0


def _run(command: Command, environment: Mapping[str, str]) -> tuple[Any, float]:
    """Runs a generator to its end: what it printed last, and its CPU time."""
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as error:
        raise BenchError(f"{name} cannot be started: {error}") from error
    try:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
    last = output.strip().rpartition("\n")[2]
    if process.returncode != 0:
        raise BenchError(f"{name} failed: {last or f'it ended with {process.returncode}'}")
    try:
        result = json.loads(last)
    except ValueError as error:
        raise BenchError(f"{name} printed no result: {last}") from error
    if result["failures"] or not result["requests"]:
        cause = result.get("failure") or "see the log of the service"
        failures, requests = result["failures"], result["requests"]
        raise BenchError(f"{name}: {failures} requests failed, {requests} did not: {cause}")
    return result, usage.ru_utime + usage.ru_stime
