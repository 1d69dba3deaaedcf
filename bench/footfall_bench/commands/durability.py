"""`bench/durability.sh`"""

from random import Random

from .. import checks, instances, loads
from ..contestants import footfall
from ..http_client import Address
from ..instances import Instance
from ..loads import quantile_us
from ..markdown import number, table
from ..plans import CONNECTIONS, WARM_UP_SECONDS
from ..processes import Supervisor
from ..redis_server import RedisServer
from ..spread import Spread

_FIRST_PORT = 18_800
_ROUNDS = 5
_SECONDS = 2.0
# As one that each of them can bear, so that latencies can be compared.
_RATE = 1_000.0
_REPLICAS = 2


def main(_: str | None, seed: int | None) -> None:
    order = Random(seed)
    with Supervisor(_FIRST_PORT) as supervisor:
        master = RedisServer(supervisor)
        for replica in range(1, _REPLICAS + 1):
            RedisServer(supervisor, f"replica-{replica}", follows=master)
        waiting = {
            replicas: instances.start(
                supervisor,
                footfall(f"footfall-{replicas}", FOOTFALL_WAIT_REPLICAS=str(replicas)),
                master.url,
                unix=True,
            )
            for replicas in range(_REPLICAS + 1)
        }
        token = checks.check(waiting[0])
        rates: dict[int, list[float]] = {replicas: [] for replicas in waiting}
        latencies: dict[int, list[float]] = {replicas: [] for replicas in waiting}
        for _round in range(_ROUNDS):
            master.forget_identities("visits")
            for replicas in order.sample(sorted(waiting), len(waiting)):
                addresses = waiting[replicas].addresses
                rates[replicas].append(_per_second(waiting[replicas], token))
                latencies[replicas].append(_p50_us(addresses, token))
                supervisor.check()
    alone = Spread.of(rates[0]).median
    rows = []
    for replicas, each in rates.items():
        rate, latency = Spread.of(each), Spread.of(latencies[replicas])
        rows.append(
            [
                str(replicas),
                f"{rate.median:,.0f}",
                f"{rate.percent:.0f} %",
                f"{rate.median / alone:.2f}",
                number(latency.median),
            ]
        )
    head = ["Replicas waited for", "Visits per second", "±", "÷ not waiting", "p50 at 1,000/s, µs"]
    print(table(head, rows), end="")


def _per_second(instance: Instance, token: str) -> float:
    load = {"connections": CONNECTIONS, "headers": checks.bearer(token), "options": ["--ids"]}
    loads.bench_load(instance.addresses, "/api/count", seconds=WARM_UP_SECONDS, **load)
    result = loads.bench_load(instance.addresses, "/api/count", seconds=_SECONDS, **load)
    return result.requests / result.seconds


def _p50_us(addresses: tuple[Address, ...], token: str) -> float:
    result = loads.bench_load(
        addresses,
        "/api/count",
        connections=CONNECTIONS,
        seconds=_SECONDS,
        headers=checks.bearer(token),
        rate=_RATE,
        options=["--ids"],
    )
    return quantile_us(result.latency, 0.5)
