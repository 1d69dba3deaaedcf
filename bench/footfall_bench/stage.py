"""Everything that runs during a comparison, all of it at once, so that all have the same neighbours."""

from collections.abc import Iterable
from pathlib import Path

from . import checks, instances
from .cells import Cell, is_exact
from .entrants import Entrant, Extras, entrants
from .http_client import Address, Client
from .instances import Instance
from .nginx import Nginx
from .one_cpu import confine
from .processes import Supervisor
from .redis_server import RedisServer, Work

FIRST_PORT = 18_100

_COUNTER = "/api/counters/visits"


class Stage:
    """All entrants, a Redis or several, and an nginx of each size in front."""

    def __init__(
        self, supervisor: Supervisor, every_cell: Iterable[Cell], extras: Extras, group: Path | None
    ) -> None:
        self._supervisor = supervisor
        self._group = group
        self._stores: dict[str, RedisServer] = {}
        self.instances: dict[str, Instance] = {}
        self._entrants = list(entrants(extras, supervisor.disk))
        for entrant in self._entrants:
            self.instances[entrant.key] = self._start(entrant)
        self.tokens = {key: checks.check(instance) for key, instance in self.instances.items()}
        for entrant in self._entrants:
            self._prepare(entrant)
        self.nginx = self._start_nginx(every_cell)

    def _start(self, entrant: Entrant) -> Instance:
        store = entrant.contestant.store
        return instances.start(
            self._supervisor,
            entrant.contestant,
            self.redis_url(store) if store else "",
            unix=entrant.unix,
            replicas=entrant.replicas,
        )

    def redis_url(self, store: str) -> str:
        """Where this Redis is, which is started for the first who asks."""
        if store not in self._stores:
            self._stores[store] = RedisServer(self._supervisor, store)
        return self._stores[store].unix_url

    def _prepare(self, entrant: Entrant) -> None:
        instance = self.instances[entrant.key]
        instances.settle(instance)
        if is_exact(entrant.contestant):
            checks.check_repeats(instance, self.tokens[entrant.key])
        if entrant.one_cpu and self._group is not None:
            for server in instance.servers:
                confine(self._group, server)
        if entrant.recorded is False:
            path, headers = f"{_COUNTER}/recording", checks.bearer(self.tokens[entrant.key])
            client = Client(instance.addresses[0])
            status, _ = client.request("PUT", path, headers, {"on": False})
            checks.expect(entrant.key, "that nothing is recorded", status, 200)

    def _start_nginx(self, every_cell: Iterable[Cell]) -> dict[int, Nginx]:
        behind: dict[int, set[str]] = {}
        for cell in every_cell:
            if not cell.direct:
                behind.setdefault(cell.nginx_workers, set()).add(cell.entrant)
        return {
            workers: Nginx(
                self._supervisor,
                workers,
                {key: self.instances[key].addresses for key in sorted(keys)},
            )
            for workers, keys in behind.items()
        }

    def begin_round(self) -> None:
        """Gets new tokens: they end some minutes after they were given."""
        for key, instance in self.instances.items():
            if instance.contestant.counts:
                self.tokens[key] = checks.log_in(key, instance)

    def tidy(self, cell: Cell) -> None:
        """After a measurement: its visits would make the next one's work another, and expire in the middle of it."""
        store = self.instances[cell.entrant].contestant.store
        if cell.operation == "count" and store:
            self._stores[store].forget()

    def address(self, cell: Cell) -> Address:
        """Where the load of a cell goes."""
        if cell.direct:
            return self.instances[cell.entrant].addresses[0]
        return self.nginx[cell.nginx_workers].address(cell.entrant)

    def work(self, cell: Cell) -> Work:
        """What the Redis of a cell has done, if it has one."""
        store = self.instances[cell.entrant].contestant.store
        return self._stores[store].work() if store else Work()

    def visits(self, cell: Cell) -> int:
        """What its counter has counted."""
        contestant = self.instances[cell.entrant].contestant
        if contestant.counter_key is None:
            return 0
        if contestant.store:
            return self._stores[contestant.store].count(contestant.counter_key)
        client = Client(self.instances[cell.entrant].addresses[0])
        status, answer = client.request("GET", _COUNTER, checks.bearer(self.tokens[cell.entrant]))
        checks.expect(cell.entrant, "reading its counter", status, 200)
        client.close()
        return int(answer["visits"])

    def check(self) -> None:
        """Raises if something has ended."""
        self._supervisor.check()
