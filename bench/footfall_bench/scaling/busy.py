"""How much of the time Redis' main thread is at work: on a CPU, waiting for one, or for the disk."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .. import proc

# Often enough for a share of some per cent, and rarely enough to cost next to nothing.
_PAUSE_SECONDS = 0.004
# Of the states of proc(5): running or ready to, and waiting for the disk.
_AT_WORK = ("R", "D")


@dataclass
class Busy:
    """What was seen so far."""

    looks: int = 0
    at_work: int = 0

    @property
    def share(self) -> float:
        return self.at_work / self.looks if self.looks else 0.0


@contextmanager
def watched(pid: int) -> Iterator[Busy]:
    """Looks again and again while the block lasts."""
    busy, ended = Busy(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            busy.looks += 1
            busy.at_work += proc.main_thread_state(pid) in _AT_WORK
            time.sleep(_PAUSE_SECONDS)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield busy
    finally:
        ended.set()
        watcher.join()
