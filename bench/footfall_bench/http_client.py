"""A small HTTP client for TCP and Unix sockets, for checks and not for loads."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import BenchError

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Address:
    """`tcp:HOST:PORT` or `unix:PATH`"""

    text: str

    @classmethod
    def tcp(cls, port: int) -> "Address":
        return cls(f"tcp:127.0.0.1:{port}")

    @property
    def is_unix(self) -> bool:
        return self.text.startswith("unix:")

    @property
    def place(self) -> str:
        """HOST:PORT, or the path."""
        return self.text.partition(":")[2]

    def connect(self) -> socket.socket:
        if self.is_unix:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(self.place)
            return connection
        host, _, port = self.place.partition(":")
        return socket.create_connection((host, int(port)), _TIMEOUT_SECONDS)


class Client:
    """One connection."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection = http.client.HTTPConnection("localhost")
        try:
            self._connection.sock = address.connect()
        except OSError as error:
            raise BenchError(f"no connection to {address.text}: {error}") from error

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> tuple[int, Any]:
        """The status and what the JSON says."""
        sent = dict(headers or {})
        content = None
        if body is not None:
            content = json.dumps(body)
            sent["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, content, sent)
            response = self._connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            what = f"{method} {path} at {self._address.text}"
            raise BenchError(f"{what} failed: {error or type(error).__name__}") from error

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """What is answered, to be read as it comes."""
        self._connection.request("GET", path, headers=dict(headers))
        with self._connection.getresponse() as response:
            yield response

    def close(self) -> None:
        self._connection.close()


def accepts(address: Address) -> bool:
    """Whether one can connect."""
    try:
        address.connect().close()
    except OSError:
        return False
    return True


def answers(address: Address, path: str = "/api/ping") -> bool:
    """Whether there is a 200 to be had."""
    try:
        client = Client(address)
    except BenchError:
        return False
    try:
        return client.request("GET", path)[0] == 200
    except BenchError:
        return False
    finally:
        client.close()
