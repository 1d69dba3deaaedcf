"""Everything that runs during these measurements."""

from dataclasses import replace

from .. import checks, instances
from ..contestants import FOOTFALL_AS_SHIPPED, footfall
from ..http_client import Address, accepts
from ..instances import Instance
from ..places import DELAY
from ..processes import Command, Supervisor
from ..redis_server import RedisServer
from .points import DISTANCES_MS, REPLICAS, ROW, SHIPPED, Point, distant

FIRST_PORT = 18_300


class Stage:
    """Redis, and all replicas, of which those that are not asked do nothing."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.redis = RedisServer(supervisor)
        row = footfall(ROW, FOOTFALL_WORKERS="1")
        self._instances = {
            SHIPPED: instances.start(supervisor, FOOTFALL_AS_SHIPPED, self.redis.url, unix=True),
            ROW: instances.start(
                supervisor, row, self.redis.url, unix=True, replicas=max(REPLICAS)
            ),
        }
        for milliseconds in DISTANCES_MS:
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

    @property
    def shipped(self) -> Instance:
        return self._instances[SHIPPED]
