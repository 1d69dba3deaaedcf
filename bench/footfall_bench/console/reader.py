"""Somebody who looks at pages: a browser as far as cookies go."""

import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from ..contestants import CREDENTIALS
from ..errors import BenchError
from ..http_client import Address, Answer, Client

# As browsers ask for pages.
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_SEE_OTHER = 303


@dataclass
class Reader:
    """One connection, and the cookies that were set."""

    address: Address
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = Client(self.address)

    def log_in(self, username: str = CREDENTIALS["username"]) -> "Reader":
        form = urlencode({"username": username, "password": CREDENTIALS["password"]})
        answer = self._send("POST", "/console/login", form)
        if answer.status != _SEE_OTHER:
            raise BenchError(f"{username} cannot log in: {answer.status}")
        return self

    @property
    def cookie(self) -> str:
        """All of them, as they are sent."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def get(self, path: str) -> Answer:
        return self._send("GET", path)

    def timed(self, path: str) -> float:
        """The milliseconds until the whole page is there, which it must be."""
        began = time.perf_counter()
        answer = self.get(path)
        elapsed = time.perf_counter() - began
        if answer.status != 200:
            raise BenchError(f"{path} answered {answer.status}")
        return elapsed * 1000

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, path: str, form: str | None = None) -> Answer:
        headers = {"Accept": _ACCEPT, "Sec-Fetch-Site": "same-origin"}
        if self.cookies:
            headers["Cookie"] = self.cookie
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self._client.fetch(method, path, headers, form)
        for header in answer.headers.get_all("Set-Cookie", []):
            for name, cookie in SimpleCookie(header).items():
                self.cookies[name] = cookie.value
        return answer
