"""Footfall with Redis and PostgreSQL, both as they are shipped: with all that is acknowledged on the disk."""

import time
from pathlib import Path

from .. import instances
from ..contestants import CREDENTIALS, Contestant, footfall
from ..errors import BenchError
from ..http_client import Client
from ..migrations import migrate
from ..places import FOOTFALL
from ..postgresql import PostgreSQL
from ..processes import Supervisor
from ..redis_server import RedisServer

FIRST_PORT = 19_000

# Until what was counted is recorded: what a load of seconds has left behind.
_DRAINED_SECONDS = 180.0
_READY_SECONDS = 30.0
_PAUSE_SECONDS = 0.02


class Service:
    """One replica, and somebody who is logged in there."""

    def __init__(self, supervisor: Supervisor, contestant: Contestant, redis_url: str = "") -> None:
        self.supervisor = supervisor
        self.headers: dict[str, str] = {}
        self._contestant = contestant
        self._redis_url = redis_url

    def start(self) -> None:
        """Starts the service."""
        self.instance = instances.start(
            self.supervisor, self._contestant, self._redis_url, unix=True
        )
        self.log_in()

    def log_in(self) -> None:
        """Gets a token, which is good for some minutes, on a connection that was not idle for long."""
        self.client = Client(self.instance.addresses[0])
        deadline = time.monotonic() + _READY_SECONDS
        status, answer = 0, None
        while status != 200:
            if status not in (0, 503) or time.monotonic() > deadline:
                raise BenchError(f"the login answered {status}: {answer}")
            status, answer = self.client.request("POST", "/auth/login", body=CREDENTIALS)
        self.headers = {"Authorization": f"Bearer {answer['token']}"}

    def ask(self, method: str, path: str, body: object = None) -> object:
        """What the service answers, which must be 200."""
        status, answer = self.client.request(method, path, self.headers, body)
        if status != 200:
            raise BenchError(f"{method} {path} answered {status}: {answer}")
        return answer


class Stage(Service):
    """One replica and its two stores, in a folder of the database's own if there is one."""

    def __init__(self, supervisor: Supervisor, name: str, folder: Path | None = None) -> None:
        self.redis = RedisServer(supervisor, f"{name}-redis")
        self.database = PostgreSQL(supervisor, folder=folder, durable=True)
        contestant = footfall(name, DATABASE_URL=self.database.url)
        super().__init__(supervisor, contestant, self.redis.url)

    def migrate(self) -> None:
        """Makes the tables."""
        urls = {"DATABASE_URL": self.database.owner_url, "REDIS_URL": self.redis.url}
        migrate(FOOTFALL, urls)

    def wait_until_drained(self, counter: str) -> None:
        """Waits until all visits of a counter are recorded."""
        deadline = time.monotonic() + _DRAINED_SECONDS
        while (waiting := self.redis.waiting(counter)).visits:
            if time.monotonic() > deadline:
                raise BenchError(f"{waiting.visits} visits of {counter} are still not recorded")
            self.supervisor.check()
            time.sleep(_PAUSE_SECONDS)
