"""Everything that runs during these measurements."""

from collections.abc import Iterable
from dataclasses import replace

from .. import checks, instances
from ..contestants import FOOTFALL_AS_SHIPPED, footfall
from ..http_client import Address, accepts
from ..instances import Instance
from ..places import DELAY
from ..processes import Command, Server, Supervisor
from ..redis_server import RedisServer
from .points import DISTANCES_MS, REPLICAS, ROW, SHIPPED, Point, distant

FIRST_PORT = 18_300


class Stage:
    """Redis, and all replicas of some points; those that are not asked do nothing."""

    def __init__(self, supervisor: Supervisor, points: Iterable[Point]) -> None:
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
                self._start_distant(milliseconds)
        # They have the same key, so one token is good for all.
        self.token = checks.check(self._instances[SHIPPED])

    def _start_distant(self, milliseconds: int) -> None:
        name = distant(milliseconds)
        port = self.supervisor.port(name)
        listen, target = f"127.0.0.1:{port}", f"127.0.0.1:{self.redis.port}"
        command: Command = [DELAY, listen, target, str(milliseconds * 1000)]
        wire = self.supervisor.start(f"{name}-wire", command, {})
        wire.wait_until(lambda: accepts(Address.tcp(port)))
        self._wires[name] = wire
        self._instances[name] = instances.start(
            self.supervisor, footfall(name), f"redis://{listen}", unix=True
        )

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
    def shipped(self) -> Instance:
        return self._instances[SHIPPED]
