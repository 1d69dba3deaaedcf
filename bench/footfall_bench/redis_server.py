"""The Redis that all contestants share, and what it tells about its work."""

from dataclasses import dataclass
from typing import Any

import redis

from .errors import BenchError
from .places import REDIS_CONFIG
from .processes import Command, Server, Supervisor

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}

# What contestants send for a visit. A script's own increments are among the second, so these are
# looked at only where no script was called.
_SCRIPTS = ("cmdstat_evalsha", "cmdstat_eval")
_INCREMENTS = ("cmdstat_incr", "cmdstat_incrby")


@dataclass(frozen=True)
class Work:
    """What Redis had done at a moment."""

    cpu_seconds: float
    scripts: int
    increments: int
    used_memory: int

    def since(self, earlier: "Work") -> "Work":
        return Work(
            self.cpu_seconds - earlier.cpu_seconds,
            self.scripts - earlier.scripts,
            self.increments - earlier.increments,
            self.used_memory - earlier.used_memory,
        )

    @property
    def calls(self) -> int:
        """Calls that clients made to count."""
        return self.scripts or self.increments


@dataclass(frozen=True)
class Remembered:
    """Identities in Redis at a moment."""

    number: int
    size: int


def _identity_keys(counter: str) -> tuple[str, str]:
    key = f"footfall:{{{counter}}}:requests"
    return key, f"{key}:previous"


class RedisServer:
    """A Redis as Footfall is shipped with it, so with an fsync before each answer."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.port = supervisor.port("Redis")
        self.url = f"redis://127.0.0.1:{self.port}"
        command: Command = [
            "redis-server", REDIS_CONFIG, "--port", str(self.port), "--dir", supervisor.disk,
            # Rewriting the log forks and writes in the background, in the middle of someone's turn.
            "--auto-aof-rewrite-percentage", "0",
            # More identities than the shipped limit allows are remembered in a run of minutes.
            "--maxmemory", "8gb",
        ]  # fmt: skip
        self.server: Server = supervisor.start("redis", command, _ENVIRONMENT)
        self._client = redis.Redis(port=self.port)
        self.server.wait_until(self._is_up)

    def _is_up(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def work(self) -> Work:
        info = self._info("everything")

        def calls(names: tuple[str, ...]) -> int:
            return sum(info.get(name, {"calls": 0})["calls"] for name in names)

        cpu = float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])
        return Work(cpu, calls(_SCRIPTS), calls(_INCREMENTS), int(info["used_memory"]))

    def count(self, key: str) -> int:
        """What a counter has counted."""
        return int(self._client.get(key) or 0)

    def counters(self) -> int:
        """How many counters there are."""
        return int(self._client.zcard("footfall:counters"))

    def forget(self) -> None:
        """Forgets all counters and identities."""
        self._client.flushall()

    def forget_identities(self, counter: str) -> None:
        """Forgets who has visited, but not how many."""
        self._client.unlink(*_identity_keys(counter))

    def identities(self, counter: str) -> Remembered:
        """What is remembered of a counter's visits that came with a request id."""
        number = size = 0
        for key in _identity_keys(counter):
            number += int(self._client.hlen(key))
            # Every entry is looked at, not a sample.
            size += int(self._client.memory_usage(key, samples=0) or 0)
        return Remembered(number, size)

    def _info(self, section: str) -> dict[str, Any]:
        try:
            return self._client.info(section)
        except redis.RedisError as error:
            raise BenchError(f"Redis does not answer: {error}") from error
