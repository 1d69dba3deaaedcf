"""`bench/disk.sh`"""

import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

from .. import checks, instances, loads
from ..contestants import FASTIFY_CLUSTER, FLASK, FOOTFALL_AS_SHIPPED, HYPER_LIMIT, Contestant
from ..errors import BenchError
from ..markdown import table
from ..nginx import Nginx
from ..plans import CONNECTIONS, FULL, WARM_UP_SECONDS
from ..proc import CORES
from ..processes import Supervisor
from ..redis_server import RedisServer
from ..spread import Spread

_FIRST_PORT = 18_900
_MEMORY = Path("/dev/shm")
_COUNTING = (FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER, FLASK)


def main(_: str | None, seed: int | None) -> None:
    if not _MEMORY.is_dir():
        raise BenchError(f"{_MEMORY} is missing; a file system in memory is measured")
    with (
        tempfile.TemporaryDirectory(prefix="footfall-bench-", dir=_MEMORY) as memory,
        Supervisor(_FIRST_PORT) as supervisor,
    ):
        on_disk = RedisServer(supervisor, "redis-disk")
        in_memory = RedisServer(supervisor, "redis-memory", folder=Path(memory))
        entrants = [(HYPER_LIMIT, on_disk)]
        for contestant in _COUNTING:
            entrants.append((_named(contestant, "disk"), on_disk))
            entrants.append((_named(contestant, "memory"), in_memory))
        spreads = _measure(supervisor, entrants, Random(seed))
    limit = spreads[HYPER_LIMIT.name].median
    rows = []
    for contestant, _store in entrants:
        spread = spreads[contestant.name]
        what = f"{contestant.title}: {'count' if contestant.counts else 'ping'}"
        place = contestant.name.rpartition("-")[2] if contestant.counts else "–"
        ratio = f"{spread.median / limit:.2f}"
        rows.append([what, place, f"{spread.median:,.0f}", f"{spread.percent:.0f} %", ratio])
    print(table(["", "Redis' files", "per second", "±", "÷ bare hyper"], rows), end="")


def _named(contestant: Contestant, place: str) -> Contestant:
    return replace(contestant, name=f"{contestant.name}-{place}")


def _measure(
    supervisor: Supervisor, entrants: list[tuple[Contestant, RedisServer]], order: Random
) -> dict[str, Spread]:
    """Requests per second behind nginx, over the rounds."""
    running = [
        instances.start(supervisor, contestant, store.url, unix=True)
        for contestant, store in entrants
    ]
    tokens = {instance.contestant.name: checks.check(instance) for instance in running}
    for instance in running:
        instances.settle(instance)
    upstreams = {instance.contestant.name: instance.addresses for instance in running}
    nginx = Nginx(supervisor, 1, upstreams)
    rates: dict[str, list[float]] = {name: [] for name in upstreams}
    for _round in range(FULL.repetitions):
        for contestant, store in order.sample(entrants, len(entrants)):
            store.forget_identities("visits")
            address = nginx.address(contestant.name)
            path = "/api/count" if contestant.counts else "/api/ping"
            headers = checks.bearer(tokens[contestant.name])
            loads.bench_load(
                [address], path, connections=CONNECTIONS, seconds=WARM_UP_SECONDS, headers=headers
            )
            result = loads.bench_load(
                [address],
                path,
                connections=CONNECTIONS,
                seconds=FULL.seconds,
                headers=headers,
                threads=CORES,
            )
            rates[contestant.name].append(result.requests / result.seconds)
            supervisor.check()
    return {name: Spread.of(each) for name, each in rates.items()}
