"""How long a service takes from its start to its first answer, and what it needs when it rests."""

import time
from dataclasses import dataclass

from . import http_client, proc
from .contestants import Contestant
from .errors import BenchError
from .http_client import Address
from .processes import Supervisor

_PAUSE_SECONDS = 0.0002
_LIMIT_SECONDS = 20.0
# Until all processes of a service are there: the first may answer before.
_REST_SECONDS = 1.0


@dataclass(frozen=True)
class Start:
    """One start."""

    first_answer_ms: float
    idle: proc.Memory | None


def start_once(
    supervisor: Supervisor,
    contestant: Contestant,
    port: int,
    redis_url: str,
    *,
    look_at_memory: bool,
) -> Start:
    """Starts it, asks until there is a 200, and stops it."""
    address = Address.tcp(port)
    command, environment = contestant.command(address), contestant.environment(address, redis_url)
    started = time.perf_counter()
    server = supervisor.start(f"{contestant.name}-start", command, environment)
    try:
        while not http_client.answers(address):
            if time.perf_counter() - started > _LIMIT_SECONDS:
                raise BenchError(f"{contestant.name} gave no answer in {_LIMIT_SECONDS:.0f} s")
            server.check()
            time.sleep(_PAUSE_SECONDS)
        answered = time.perf_counter()
        idle = None
        if look_at_memory:
            time.sleep(_REST_SECONDS)
            server.settled()
            idle = server.memory()
        server.check()
    finally:
        supervisor.stop(server)
    return Start((answered - started) * 1000, idle)
