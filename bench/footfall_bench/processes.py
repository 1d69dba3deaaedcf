"""Starting and stopping processes. Whatever happens, none outlives the run."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from . import ending, proc
from .errors import BenchError
from .places import LOGS, TARGET

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_PAUSE_SECONDS = 0.01

Command = Sequence[str | Path]


class Server:
    """A server: one process, or one that has started others."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log
        # Processes come and go while a server starts; afterwards they stay.
        self._pids: list[int] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """All of its processes, once it has started."""
        return self._pids

    def settled(self) -> None:
        """To be called when it has started: from now on its processes are known."""
        self._pids = proc.session_members(self._process.pid)

    def cpu_seconds(self) -> float:
        return sum(proc.cpu_seconds(pid) for pid in self._pids)

    def memory(self) -> proc.Memory:
        try:
            return proc.memory(self._pids)
        except OSError as error:
            raise BenchError(f"a process of {self.name} ended: {self._last_words()}") from error

    def check(self) -> None:
        """Raises if one of its processes has ended."""
        if self._process.poll() is not None:
            code = self._process.returncode
            how = f"with {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
            raise BenchError(f"{self.name} ended {how}: {self._last_words()}")
        if not all(proc.is_member(pid, self._process.pid) for pid in self._pids):
            raise BenchError(f"a process of {self.name} ended: {self._last_words()}")

    def wait_until(self, ready: Callable[[], bool], pause: float = _PAUSE_SECONDS) -> None:
        """Waits until it is ready."""
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if self._process.poll() is not None:
                self.check()
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} did not start: {self._last_words()}")
            time.sleep(pause)
        self.settled()

    def stop(self) -> None:
        """Asks it to end, and ends it if it does not."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        # Also what the first process may have left behind: it may hold the port of the next server.
        self._signal(signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _STOP_SECONDS
        while left := proc.session_members(self._process.pid):
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: process {left[0]} does not end")
            time.sleep(_PAUSE_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        # The group is the server's own: it was started in a session of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1]} (all of it: {LOGS / self._log.name})" if lines else "it said nothing"


class Supervisor:
    """Keeps the servers of a run, its ports and its files, and removes all of them at the end."""

    def __init__(self, first_port: int) -> None:
        # Sockets' paths must be short. Redis' files go where the project is: /tmp may be memory,
        # and there a durable write costs nothing.
        self.folder = Path(tempfile.mkdtemp(prefix="footfall-bench-"))
        TARGET.mkdir(parents=True, exist_ok=True)
        self.disk = Path(tempfile.mkdtemp(prefix="disk-", dir=TARGET))
        self._port = first_port
        self._servers: list[Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cause = self._cause_of(error)
        with ending.held():
            stuck = self._stop_all()
            if error is not None or stuck:
                self._keep_logs()
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.rmtree(self.disk, ignore_errors=True)
        if cause is not None:
            raise cause from error
        # What went wrong first is what is worth saying.
        if stuck and error is None:
            raise stuck[0]

    def _cause_of(self, error: BaseException | None) -> BenchError | None:
        """Which server has ended, if that was noticed by something else that failed."""
        if isinstance(error, BenchError):
            try:
                self.check()
            except BenchError as cause:
                return cause
        return None

    def _stop_all(self) -> list[BenchError]:
        """Stops one after the other, even if one of them cannot be stopped."""
        stuck = []
        for server in reversed(self._servers):
            try:
                server.stop()
            except BenchError as error:
                stuck.append(error)
        return stuck

    def _keep_logs(self) -> None:
        # Those of an earlier run would be taken for this one's.
        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir(parents=True)
        for log in self.folder.glob("*.log"):
            shutil.copy(log, LOGS)

    def port(self, owner: str) -> int:
        """A port of its own for someone."""
        port = self._port
        self._port += 1
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise BenchError(
                    f"port {port}, meant for {owner}, cannot be used: {error.strerror}"
                ) from error
        return port

    def start(self, name: str, command: Command, environment: Mapping[str, str]) -> Server:
        """Starts a server, in a session of its own and with this environment and no other."""
        log = self.folder / f"{name}.log"
        # Between its start and its place in the list nobody would stop it.
        with log.open("wb") as output, ending.held():
            try:
                process = subprocess.Popen(
                    [str(part) for part in command],
                    env=dict(environment),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchError(f"{name} cannot be started: {error}") from error
            server = Server(name, process, log)
            self._servers.append(server)
        return server

    def stop(self, server: Server) -> None:
        """Stops one before the end."""
        server.stop()
        self._servers.remove(server)

    def check(self) -> None:
        """Raises if any server has ended."""
        for server in self._servers:
            server.check()
