"""Contestants that are running."""

from dataclasses import dataclass
from functools import partial

from . import http_client, proc
from .contestants import Contestant
from .http_client import Address
from .processes import Server, Supervisor


@dataclass(frozen=True)
class Instance:
    """A contestant that is running, perhaps as several replicas."""

    contestant: Contestant
    addresses: tuple[Address, ...]
    servers: tuple[Server, ...]

    def cpu_seconds(self) -> float:
        return sum(server.cpu_seconds() for server in self.servers)

    def memory(self) -> proc.Memory:
        each = [server.memory() for server in self.servers]
        return proc.Memory(sum(one.rss_mb for one in each), sum(one.pss_mb for one in each))


def start(
    supervisor: Supervisor,
    contestant: Contestant,
    redis_url: str,
    *,
    unix: bool,
    replicas: int = 1,
) -> Instance:
    """Starts a contestant on TCP ports or Unix sockets."""
    addresses, servers = [], []
    for replica in range(1, replicas + 1):
        name = f"{contestant.name}-{'unix' if unix else 'tcp'}-{replica}"
        if unix:
            address = Address(f"unix:{supervisor.folder / name}.sock")
        else:
            address = Address.tcp(supervisor.port(name))
        command = contestant.command(address)
        environment = contestant.environment(address, redis_url)
        servers.append(supervisor.start(name, command, environment))
        addresses.append(address)
    for server, address in zip(servers, addresses, strict=True):
        server.wait_until(partial(http_client.answers, address))
    return Instance(contestant, tuple(addresses), tuple(servers))


def settle(instance: Instance) -> None:
    """Looks again which processes there are: a cluster may answer before its last one is there."""
    for server in instance.servers:
        server.settled()
