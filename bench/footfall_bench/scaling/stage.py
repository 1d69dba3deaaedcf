"""Everything that runs during these measurements."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .. import checks, instances
from ..contestants import FOOTFALL_AS_SHIPPED, Contestant, footfall
from ..contestants import previous as previous_footfall
from ..http_client import Address, accepts
from ..instances import Instance
from ..places import DELAY
from ..processes import Command, Server, Supervisor
from ..redis_server import RedisServer
from .points import BEFORE, DISTANCES_MS, REPLICAS, ROW, SHIPPED, Point, before, distant

FIRST_PORT = 18_300


class Stage:
    """Redis, and all replicas of some points; those that are not asked do nothing."""

    def __init__(
        self, supervisor: Supervisor, points: Iterable[Point], previous: Path | None = None
    ) -> None:
        self.supervisor = supervisor
        self.redis = RedisServer(supervisor)
        self._instances = {
            SHIPPED: instances.start(supervisor, FOOTFALL_AS_SHIPPED, self.redis.url, unix=True)
        }
        # What makes the distance of those that are distant.
        self._wires: dict[str, Server] = {}
        asked = {point.instance for point in points}
        if ROW in asked:
            row = footfall(ROW, FOOTFALL_WORKERS="1")
            self._instances[ROW] = instances.start(
                supervisor, row, self.redis.url, unix=True, replicas=max(REPLICAS)
            )
        for milliseconds in DISTANCES_MS:
            if distant(milliseconds) in asked:
                name = distant(milliseconds)
                self._start_distant(footfall(name), self.redis, milliseconds)
        # They have the same key, so one token is good for all of a revision.
        self._token = checks.check(self._instances[SHIPPED])
        if previous is not None:
            self._start_before(previous)

    def _start_before(self, binary: Path) -> None:
        """An earlier revision, in a Redis of its own: what it keeps there may look different."""
        self._redis_before = RedisServer(self.supervisor, "redis-before")
        shipped = before(SHIPPED)
        contestant = previous_footfall(binary, shipped)
        self._instances[shipped] = instances.start(
            self.supervisor, contestant, self._redis_before.url, unix=True
        )
        for milliseconds in DISTANCES_MS:
            contestant = previous_footfall(binary, before(distant(milliseconds)))
            self._start_distant(contestant, self._redis_before, milliseconds)
        self._token_before = checks.check(self._instances[shipped])

    def _start_distant(self, contestant: Contestant, redis: RedisServer, milliseconds: int) -> None:
        name = contestant.name
        port = self.supervisor.port(name)
        listen, target = f"127.0.0.1:{port}", f"127.0.0.1:{redis.port}"
        command: Command = [DELAY, listen, target, str(milliseconds * 1000)]
        wire = self.supervisor.start(f"{name}-wire", command, {})
        wire.wait_until(lambda: accepts(Address.tcp(port)))
        self._wires[name] = wire
        self._instances[name] = instances.start(
            self.supervisor, contestant, f"redis://{listen}", unix=True
        )

    def redis_of(self, point: Point) -> RedisServer:
        """The Redis in which a point counts."""
        return self._redis_before if point.instance.startswith(BEFORE) else self.redis

    def token_of(self, point: Point) -> str:
        """One that is good for who bears its load."""
        return self._token_before if point.instance.startswith(BEFORE) else self._token

    def instance(self, point: Point) -> Instance:
        """Who bears the load of a point."""
        whole = self._instances[point.instance]
        return replace(
            whole,
            addresses=whole.addresses[: point.replicas],
            servers=whole.servers[: point.replicas],
        )

    def wire_seconds(self, point: Point) -> float:
        """CPU time of what makes the distance, if there is any."""
        wire = self._wires.get(point.instance)
        return wire.cpu_seconds() if wire else 0.0

    @property
    def token(self) -> str:
        """One that is good for all of this revision."""
        return self._token

    @property
    def shipped(self) -> Instance:
        return self._instances[SHIPPED]
