"""The proxy in front: the same plain configuration for everyone."""

import os
from collections.abc import Mapping, Sequence

from .http_client import Address, answers
from .places import tool
from .processes import Command, Server, Supervisor

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

# Nothing here is tuned for anyone: connections are kept, on both sides, and nothing is logged. The
# request's id is what makes visits exactly-once behind a proxy; every contestant is sent it.
_CONFIGURATION = """\
{user}
daemon off;
pid {folder}/nginx-{workers}.pid;
error_log stderr warn;
worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-{workers}-body;
    proxy_temp_path {folder}/nginx-{workers}-proxy;
    fastcgi_temp_path {folder}/nginx-{workers}-fastcgi;
    uwsgi_temp_path {folder}/nginx-{workers}-uwsgi;
    scgi_temp_path {folder}/nginx-{workers}-scgi;
    keepalive_requests 10000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Request-ID $request_id;
    # As of a client on this machine: who comes by a Unix socket has no address.
    proxy_set_header X-Forwarded-For 127.0.0.1;
{sites}}}
"""

_SITE = """\
    upstream {name} {{
        zone {name} 64k;
{members}        keepalive 128;
        keepalive_requests 10000000;
    }}
    server {{
        listen unix:{socket};
        location / {{ proxy_pass http://{name}; }}
    }}
"""


class Nginx:
    """An nginx with a socket for each of its upstreams."""

    def __init__(
        self,
        supervisor: Supervisor,
        workers: int,
        upstreams: Mapping[str, Sequence[Address]],
    ) -> None:
        sockets = enumerate(upstreams, start=1)
        # Numbers: a path may have 107 bytes.
        self._sockets = {
            name: supervisor.folder / f"nginx-{workers}-{number}.sock" for number, name in sockets
        }
        sites = "".join(self._site(name, members) for name, members in upstreams.items())
        path = supervisor.folder / f"nginx-{workers}.conf"
        path.write_text(
            _CONFIGURATION.format(
                # Its workers must be able to use the sockets, which belong to whoever runs this.
                user="user root;" if os.geteuid() == 0 else "",
                folder=supervisor.folder,
                workers=workers,
                sites=sites,
            )
        )
        command: Command = [tool("nginx"), "-c", path, "-p", supervisor.folder]
        self._server: Server = supervisor.start(f"nginx-{workers}", command, _ENVIRONMENT)
        self._server.wait_until(lambda: all(answers(self.address(name)) for name in upstreams))

    def _site(self, name: str, members: Sequence[Address]) -> str:
        lines = "".join(f"        server {_member(address)};\n" for address in members)
        return _SITE.format(name=name, members=lines, socket=self._sockets[name])

    def address(self, name: str) -> Address:
        """Where this upstream is to be had."""
        return Address(f"unix:{self._sockets[name]}")

    def cpu_seconds(self) -> float:
        return self._server.cpu_seconds()


def _member(address: Address) -> str:
    return address.text if address.is_unix else address.place
