"""The Redis that all contestants share, and what it tells about its work."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from .errors import BenchError
from .places import REDIS_CONFIG, tool
from .processes import Command, Server, Supervisor

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}

# What contestants send for a visit. A script's own increments are among the second, so these are
# looked at only where no script was called.
_SCRIPTS = ("cmdstat_evalsha", "cmdstat_eval")
_INCREMENTS = ("cmdstat_incr", "cmdstat_incrby")


@dataclass(frozen=True)
class Work:
    """What Redis had done at a moment."""

    # Of the thread that runs commands, and of all of them.
    main_seconds: float = 0.0
    all_seconds: float = 0.0
    scripts: int = 0
    # Those of the scripts that are known by their hash: counting is the only one.
    hashed_scripts: int = 0
    increments: int = 0
    used_memory: int = 0

    def since(self, earlier: "Work") -> "Work":
        return Work(
            self.main_seconds - earlier.main_seconds,
            self.all_seconds - earlier.all_seconds,
            self.scripts - earlier.scripts,
            self.hashed_scripts - earlier.hashed_scripts,
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


@dataclass(frozen=True)
class Waiting:
    """What of a counter waits in Redis to be recorded."""

    visits: int
    # For how long the oldest of them has.
    seconds: float


def _identity_keys(counter: str) -> tuple[str, str]:
    key = f"footfall:{{{counter}}}:requests"
    return key, f"{key}:previous"


class RedisServer:
    """A Redis as Footfall is shipped with it, so with an fsync before each answer."""

    def __init__(
        self,
        supervisor: Supervisor,
        name: str = "redis",
        *,
        follows: "RedisServer | None" = None,
        folder: Path | None = None,
    ) -> None:
        self.port = supervisor.port(name)
        self.url = f"redis://127.0.0.1:{self.port}"
        socket = supervisor.folder / f"{name}.sock"
        self.unix_url = f"unix://{socket}"
        directory = (folder or supervisor.disk) / name
        directory.mkdir()
        command: list[str | Path] = [
            tool("redis-server"), REDIS_CONFIG, "--port", str(self.port), "--dir", directory,
            "--unixsocket", socket,
            # Rewriting the log forks and writes in the background, in the middle of someone's turn.
            "--auto-aof-rewrite-percentage", "0",
            # More identities than the shipped limit allows are remembered in a run of minutes.
            "--maxmemory", "8gb",
        ]  # fmt: skip
        if follows is not None:
            command += ["--replicaof", "127.0.0.1", str(follows.port)]
        self.server: Server = supervisor.start(name, command, _ENVIRONMENT)
        self._client = redis.Redis(port=self.port)
        self.server.wait_until(self._is_up)

    def _is_up(self) -> bool:
        try:
            # A replica that still copies is of no use.
            return self._client.info("replication").get("master_link_status", "up") == "up"
        except redis.RedisError:
            return False

    def work(self) -> Work:
        with _asking():
            info = self._client.info("everything")

        def calls(names: tuple[str, ...]) -> int:
            return sum(info.get(name, {"calls": 0})["calls"] for name in names)

        def cpu_seconds(threads: str) -> float:
            kinds = ("used_cpu_user", "used_cpu_sys")
            return sum(float(info[f"{kind}{threads}"]) for kind in kinds)

        return Work(
            main_seconds=cpu_seconds("_main_thread"),
            all_seconds=cpu_seconds(""),
            scripts=calls(_SCRIPTS),
            hashed_scripts=calls(_SCRIPTS[:1]),
            increments=calls(_INCREMENTS),
            used_memory=int(info["used_memory"]),
        )

    def count(self, key: str) -> int:
        """What a counter has counted."""
        with _asking():
            return int(self._client.get(key) or 0)

    def put_counts(self, counts: Mapping[str, int]) -> None:
        """Has these counters be so far, as if all of their visits had been counted."""
        keys = {f"footfall:{{{name}}}:count": count for name, count in counts.items()}
        with _asking():
            self._client.mset(keys)
            self._client.zadd("footfall:counters", dict.fromkeys(counts, 0))

    def waiting(self, counter: str) -> Waiting:
        """What waits to be recorded, at one moment."""
        state, stream = (f"footfall:{{{counter}}}:{name}" for name in ("record", "visits"))
        with _asking(), self._client.pipeline(transaction=True) as looking:
            looking.hmget(state, "top", "through")
            looking.xrange(stream, count=1)
            looking.time()
            (top, through), oldest, (seconds, microseconds) = looking.execute()
        visits = int(top or 0) - int(through or 0)
        if not visits or not oldest:
            return Waiting(visits, 0.0)
        at = int(oldest[0][1][b"t"]) / 1e3
        return Waiting(visits, max(0.0, seconds + microseconds / 1e6 - at))

    def size(self, key: str) -> int:
        """The bytes that a key takes: of every entry, not of a sample."""
        with _asking():
            return int(self._client.memory_usage(key, samples=0) or 0)

    def counters(self) -> int:
        """How many counters there are."""
        with _asking():
            return int(self._client.zcard("footfall:counters"))

    def wait_for_no_disk(self) -> None:
        """Writes are on the disk within a second, and nobody waits for that."""
        with _asking():
            self._client.config_set("appendfsync", "everysec")

    def forget(self) -> None:
        """Forgets all counters and identities."""
        with _asking():
            self._client.flushall()

    def wait_for_disk(self, waits: bool) -> None:
        """Has it answer only when what it has written is on the disk, as it is shipped, or at once."""
        with _asking():
            self._client.config_set("appendfsync", "always" if waits else "no")

    def forget_identities(self, counter: str) -> None:
        """Forgets who has visited, but not how many."""
        with _asking():
            self._client.unlink(*_identity_keys(counter))

    def identities(self, counter: str) -> Remembered:
        """What is remembered of a counter's visits that came with a request id."""
        # In one transaction: a set that is renamed in between would be seen twice.
        with _asking(), self._client.pipeline(transaction=True) as looking:
            for key in _identity_keys(counter):
                looking.hlen(key)
                # Every entry is looked at, not a sample.
                looking.memory_usage(key, samples=0)
            lengths_and_sizes = [int(answer or 0) for answer in looking.execute()]
        return Remembered(sum(lengths_and_sizes[0::2]), sum(lengths_and_sizes[1::2]))


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise BenchError(f"Redis does not answer: {error}") from error
