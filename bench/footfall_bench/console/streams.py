"""Pages that are open and live: as many streams, which somebody reads."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from ..errors import BenchError
from ..http_client import Address
from . import counters_sql
from .reader import Reader
from .stage import COUNTED

STREAMS = 200
# One person may have 64.
_EACH = 50

# As home shows them, beside all together.
_OF_HOME = 8
_PAUSE_SECONDS = 0.2


class Streams:
    """What is read of them."""

    def __init__(self, connections: list[socket.socket]) -> None:
        self._events = 0
        self._began = time.monotonic()
        self._ends = False
        self._selector = selectors.DefaultSelector()
        for connection in connections:
            self._selector.register(connection, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._ends:
            for key, _ in self._selector.select(_PAUSE_SECONDS):
                came = key.fileobj.recv(1 << 16)
                if not came:
                    self._selector.unregister(key.fileobj)
                self._events += came.count(b"event: visits")

    def per_second(self) -> float:
        """Events of all of them, until now."""
        if len(self._selector.get_map()) < STREAMS:
            raise BenchError("streams ended while they were read")
        return self._events / (time.monotonic() - self._began)

    def close(self) -> None:
        self._ends = True
        self._thread.join()
        self._selector.close()


def log_in(address: Address) -> list[Reader]:
    """As many people as may have so many streams together."""
    readers = [Reader(address) for _ in range(STREAMS // _EACH)]
    return [reader.log_in(counters_sql.EMAIL.format(number)) for number, reader in enumerate(readers)]


@contextmanager
def opened(address: Address, readers: list[Reader]) -> Iterator[Streams]:
    """Half of them homes, the others pages of the counter that is counted on."""
    few = [counters_sql.name(number) for number in range(_OF_HOME)]
    watched = (",".join(["*", *few]), COUNTED)
    connections = [
        _open(address, readers[number % len(readers)].cookie, watched[number % 2])
        for number in range(STREAMS)
    ]
    streams = Streams(connections)
    try:
        yield streams
    finally:
        streams.close()
        for connection in connections:
            connection.close()


def _open(address: Address, cookie: str, counters: str) -> socket.socket:
    connection = address.connect()
    head = (
        f"GET /console/live?{urlencode({'counters': counters})} HTTP/1.1\r\nHost: localhost\r\n"
        f"Accept: text/event-stream\r\nSec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\n\r\n"
    )
    connection.sendall(head.encode())
    answer = connection.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise BenchError(f"a stream was refused: {answer.splitlines()[0].decode()}")
    return connection
