"""What a run says while it goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(text: str) -> Iterator[None]:
    """Says what begins, and how long it took. Whatever else happens is said on a line of its own."""
    began = time.monotonic()
    print(f"== {text}", end="", flush=True)
    try:
        yield
    except BaseException:
        print(flush=True)
        raise
    print(f", {time.monotonic() - began:.0f} s", flush=True)
