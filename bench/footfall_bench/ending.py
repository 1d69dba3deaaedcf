"""Ending early, when someone asks for it: everything that was started is stopped on the way out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_held = 0
_asked: int | None = None


def listen() -> None:
    """From now on these signals end the program by an exception, which unwinds."""
    for number in _SIGNALS:
        # nohup and the like mean it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextmanager
def held() -> Iterator[None]:
    """What is in here is done to its end first.

    The signals are not blocked in the kernel: servers that are started in here would inherit that.
    """
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1
        if not _held and _asked is not None:
            raise SystemExit(128 + _asked)


def _end(number: int, _: FrameType | None) -> None:
    global _asked
    # A second Ctrl-C must not leave half of the servers behind.
    if _held:
        _asked = number
    else:
        raise SystemExit(128 + number)
