"""Everything that runs during a comparison, all of it at once, so that all have the same neighbours."""

import itertools
from collections.abc import Iterable

from . import cells, checks, instances
from .cells import Cell
from .contestants import ALL, FOOTFALL_FORGETFUL, FOOTFALL_TRUSTING, Contestant, footfall
from .http_client import Address
from .instances import Instance
from .nginx import Nginx
from .processes import Supervisor
from .redis_server import RedisServer

FIRST_PORT = 18_100


class Stage:
    """All contestants, Redis, and an nginx of each size in front."""

    def __init__(self, supervisor: Supervisor, every_cell: Iterable[Cell]) -> None:
        self._supervisor = supervisor
        self.redis = RedisServer(supervisor)
        self.instances: dict[str, Instance] = {}
        for contestant, transport in itertools.product(ALL, ("tcp", "unix")):
            self._start(cells.instance_key(contestant, transport), contestant, transport)
        self._start(cells.instance_key(FOOTFALL_TRUSTING, "tcp"), FOOTFALL_TRUSTING, "tcp")
        self._start("footfall-forgetful@unix", FOOTFALL_FORGETFUL, "unix")
        for workers, replicas in itertools.product(cells.WORKERS, cells.FEW):
            key = cells.shape_key(workers, replicas)
            if key not in self.instances:
                contestant = footfall(key, FOOTFALL_WORKERS=str(workers))
                self._start(key, contestant, "unix", replicas)
        self.tokens = {key: checks.check(instance) for key, instance in self.instances.items()}
        for instance in self.instances.values():
            instances.settle(instance)
        self.nginx = self._start_nginx(every_cell)

    def _start(self, key: str, contestant: Contestant, transport: str, replicas: int = 1) -> None:
        self.instances[key] = instances.start(
            self._supervisor,
            contestant,
            self.redis.url,
            unix=transport == "unix",
            replicas=replicas,
        )

    def _start_nginx(self, every_cell: Iterable[Cell]) -> dict[int, Nginx]:
        behind: dict[int, set[str]] = {}
        for cell in every_cell:
            if not cell.direct:
                behind.setdefault(cell.nginx_workers, set()).add(cell.instance)
        return {
            workers: Nginx(
                self._supervisor,
                workers,
                {key: self.instances[key].addresses for key in sorted(keys)},
            )
            for workers, keys in behind.items()
        }

    def address(self, cell: Cell) -> Address:
        """Where the load of a cell goes."""
        if cell.direct:
            return self.instances[cell.instance].addresses[0]
        return self.nginx[cell.nginx_workers].address(cell.instance)

    def check(self) -> None:
        """Raises if something has ended."""
        self._supervisor.check()
