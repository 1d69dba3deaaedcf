"""What a request costs in instructions.

The service runs under callgrind and is asked some times, one request after the other, on one
connection. Counting begins anew after a warm-up, and what was counted is looked at after each of
several phases: start and shutdown are in none. Of the phases the cheapest counts, for what differs
between them (a poll too early, a look at the store) only ever adds to a request. The first thread is
left out: it counts nothing, and what it does goes by the clock, so a busy machine would add to that.
"""

import base64
import json
import platform
import re
import reprlib
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..contestants import CREDENTIALS, footfall
from ..errors import BenchError
from ..http_client import Address, Client, accepts, answers
from ..migrations import migrate
from ..places import FOOTFALL, FOOTFALL_WITH_SYMBOLS, tool
from ..postgresql import PostgreSQL
from ..processes import Command, Supervisor

FIRST_PORT = 18_500

PHASES = 20
REQUESTS = 100
# Before: connections are opened and caches filled.
WARM_UP = 200

# Until the service has found its database, under callgrind.
_LOGIN_SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """A request whose instructions are counted."""

    name: str
    path: str
    # Whether visits are counted in Redis, and not in the embedded store.
    redis: bool = True
    identities: bool = False
    # Whether there is a database beside Redis, and so a session that can be revoked: of such a
    # token the store compares what was revoked. The embedded store always is a database.
    postgresql: bool = False
    # Whether visits are recorded there. What writes the record works in the first thread, so of it
    # only that is counted here which a visit pays for.
    recorded: bool = True
    # What a visit carries.
    carried: Mapping[str, str] | None = None

    @property
    def counts(self) -> bool:
        return self.path != "/api/ping"

    @property
    def has_session(self) -> bool:
        """Whether its token is one of a session."""
        return self.counts and (self.postgresql or not self.redis)


# Always the same: what differs from visit to visit costs as much.
_FIELDS = {
    "visitor": "customer-4711",
    "path": "/articles/4711",
    "referrer": "https://search.example/",
    "campaign": "spring",
    "country": "DE",
}

CASES = (
    Case("ping", "/api/ping"),
    Case("count", "/api/count"),
    Case("count_with_identity", "/api/count", identities=True),
    Case("count_with_session", "/api/count", postgresql=True, recorded=False),
    Case("count_recorded", "/api/count", postgresql=True),
    Case("count_recorded_with_fields", "/api/counters/visits", postgresql=True, carried=_FIELDS),
    Case("count_embedded", "/api/count", redis=False),
)


def per_request(case: Case, binary: Path) -> float:
    """Instructions of one request."""
    with Supervisor(FIRST_PORT) as supervisor:
        callgrind = _Callgrind(supervisor, case, binary, "--separate-threads=yes")
        visitor = _Visitor(callgrind.address, case)
        visitor.ask(WARM_UP)
        callgrind.begin()
        counted = []
        for _ in range(PHASES):
            visitor.ask(REQUESTS)
            callgrind.dump()
            counted.append(callgrind.total_of_workers())
        visitor.close()
    return min(counted) / REQUESTS


def profile(case: Case, requests: int) -> str:
    """What so many requests cost, function by function, as callgrind writes it."""
    with Supervisor(FIRST_PORT) as supervisor:
        callgrind = _Callgrind(supervisor, case, FOOTFALL_WITH_SYMBOLS)
        visitor = _Visitor(callgrind.address, case)
        visitor.ask(WARM_UP)
        callgrind.begin()
        visitor.ask(requests)
        visitor.close()
        callgrind.dump()
        return callgrind.dumped("").read_text()


class _Callgrind:
    """Footfall under callgrind."""

    def __init__(self, supervisor: Supervisor, case: Case, binary: Path, *options: str) -> None:
        redis_url = _start_redis(supervisor) if case.redis else None
        database = PostgreSQL(supervisor) if case.postgresql else None
        self.address = Address(f"unix:{supervisor.folder / 'footfall.sock'}")
        self._output = supervisor.folder / "callgrind.out"
        self._dumps = 0
        # One worker, so that all requests meet the same one, and nothing on the side.
        contestant = footfall(
            "footfall",
            FOOTFALL_WORKERS="1",
            FOOTFALL_DATA_DIR=str(supervisor.folder),
            FOOTFALL_OPS_LISTEN="",
            # Under callgrind, beside whatever else goes on, a disk may seem slow.
            FOOTFALL_STORE_TIMEOUT="20s",
            FOOTFALL_REQUEST_TIMEOUT="30s",
        )
        environment = contestant.environment(self.address, redis_url or "")
        if redis_url is None:
            del environment["REDIS_URL"]
        if database is not None:
            migrate(binary, environment | {"DATABASE_URL": database.owner_url})
            environment["DATABASE_URL"] = database.url
        command: Command = [
            tool("valgrind"),
            "--tool=callgrind",
            f"--callgrind-out-file={self._output}",
            *options,
            binary,
        ]
        self._server = supervisor.start("footfall", command, environment)
        self._server.wait_until(lambda: answers(self.address))

    def begin(self) -> None:
        """Counts from zero."""
        self._control("--zero")

    def dump(self) -> None:
        """Writes what was counted since this was asked last."""
        self._control("--dump")
        self._dumps += 1

    def dumped(self, thread: str) -> Path:
        """Where that is."""
        return self._output.with_name(f"{self._output.name}.{self._dumps}{thread}")

    def total_of_workers(self) -> int:
        """What all threads executed but the first, where nothing is done for a request."""
        first, pattern = self.dumped("-01"), self.dumped("-*").name
        threads = [path for path in self._output.parent.glob(pattern) if path != first]
        return sum(_total(path.read_text()) for path in threads)

    def _control(self, what: str) -> None:
        command = [tool("callgrind_control"), what, str(self._server.pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "OK" not in done.stdout:
            raise BenchError(f"callgrind_control {what}: {(done.stdout + done.stderr).strip()}")


def _total(dump: str) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE)
    if found is None:
        raise BenchError("callgrind left no count")
    return int(found[1])


class _Visitor:
    """Asks the same again and again."""

    def __init__(self, address: Address, case: Case) -> None:
        self._client = Client(address)
        self._case = case
        self._headers: dict[str, str] = {}
        self._asked = 0
        if case.counts:
            self._headers["Authorization"] = f"Bearer {self._log_in()}"
            self._ask()
        if case.postgresql and not case.recorded:
            path = "/api/counters/visits/recording"
            status, answer = self._client.request("PUT", path, self._headers, {"on": False})
            if status != 200:
                raise BenchError(f"{path} answered {status}: {reprlib.repr(answer)}")

    def _log_in(self) -> str:
        deadline = time.monotonic() + _LOGIN_SECONDS
        while True:
            status, answer = self._client.request("POST", "/auth/login", body=CREDENTIALS)
            # While it still connects to its database, it gives tokens without a session.
            if status == 200 and _has_session(answer["token"]) == self._case.has_session:
                return str(answer["token"])
            if status not in (200, 503) or time.monotonic() > deadline:
                said = reprlib.repr(answer)
                raise BenchError(f"{self._case.name}: the login answered {status}: {said}")

    def ask(self, times: int) -> None:
        for _ in range(times):
            self._ask()

    def _ask(self) -> None:
        if self._case.identities:
            self._asked += 1
            self._headers["X-Request-ID"] = f"{self._asked:032x}"
        carried, path = self._case.carried, self._case.path
        method = "GET" if carried is None else "POST"
        status, answer = self._client.request(method, path, self._headers, carried)
        if status != 200:
            raise BenchError(f"{self._case.name} answered {status}: {reprlib.repr(answer)}")

    def close(self) -> None:
        self._client.close()


def _has_session(token: str) -> bool:
    claims = token.split(".")[1]
    return "sid" in json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))


def _start_redis(supervisor: Supervisor) -> str:
    # What it does with its files costs Footfall nothing.
    port = supervisor.port("Redis")
    command: Command = [
        tool("redis-server"),
        "--port",
        str(port),
        "--save",
        "",
        "--dir",
        supervisor.disk,
    ]
    server = supervisor.start("redis", command, {"PATH": "/usr/local/bin:/usr/bin:/bin"})
    server.wait_until(lambda: accepts(Address.tcp(port)))
    return f"redis://127.0.0.1:{port}"


def versions(binary: Path) -> dict[str, str]:
    """What the counts of a binary depend on beside the source."""
    # One that is linked statically has a libc of its own, which says so.
    linked = re.search(rb"GNU C Library [^\n]* version ([\d.]+\d)", binary.read_bytes())
    libc = " ".join(platform.libc_ver()) if linked is None else f"glibc {linked[1].decode()}"
    return {name: _version(name) for name in ("rustc", "valgrind")} | {
        # Its functions are counted with ours, and it has others where a CPU can do more.
        "libc": libc,
        "cpu": f"{platform.machine()}, {'with' if _has_avx2() else 'without'} AVX2",
    }


def _has_avx2() -> bool:
    return re.search(r"^flags\s*:.*\bavx2\b", Path("/proc/cpuinfo").read_text(), re.M) is not None


def _version(program: str) -> str:
    done = subprocess.run([tool(program), "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{program} --version: {(done.stdout + done.stderr).strip()}")
    return done.stdout.strip()
