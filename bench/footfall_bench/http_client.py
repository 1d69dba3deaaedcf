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


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


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
        answer = self.fetch(method, path, sent, content)
        try:
            return answer.status, json.loads(answer.body) if answer.body else None
        except ValueError as error:
            raise self._failure(method, path, error) from error

    def fetch(
        self, method: str, path: str, headers: Mapping[str, str], content: str | None = None
    ) -> Answer:
        """What is answered, whatever it is."""
        try:
            self._connection.request(method, path, content, dict(headers))
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(method, path, error) from error

    def _failure(self, method: str, path: str, error: Exception) -> BenchError:
        what = f"{method} {path} at {self._address.text}"
        return BenchError(f"{what} failed: {error or type(error).__name__}")

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
