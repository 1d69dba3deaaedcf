"""The services that are compared, and how each is started.

Each is started as its manual says for production, on a TCP port or a Unix socket, with as many
workers as suit the cores that may be used. Footfall appears
with settings of its own for single questions; without any it is as it is shipped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .http_client import Address
from .places import BENCH, FASTIFY, FOOTFALL, FOOTFALL_CONFIG, HYPER, NODE, PYTHON_BIN
from .proc import CORES
from .processes import Command

CREDENTIALS = {"username": "admin", "password": "correct horse battery staple"}
# The hash of this password, with the parameters OWASP recommends: the work of every login here.
PASSWORD_HASH = "$argon2id$v=19$m=19456,t=2,p=1$mTDQ7y1Mk0AzbzGXWNFVpg$nsGaMIXMwfv7tV2FbCXPjjzxTseDemGp8/IBfYBPc1Q"
SECRET_KEY = "only-for-measuring-0123456789abcdef"

# Of Footfall as it is shipped: as many as it finds cores, said for containers that may use less than whole ones.
SHIPPED_WORKERS = CORES

# The name of an earlier revision that takes part.
PREVIOUS = "previous"

_VISITS = "footfall:{visits}:count"


@dataclass(frozen=True)
class Contestant:
    """A service that takes part."""

    name: str
    title: str
    command: Callable[[Address], Command]
    # The key in Redis its counter has; None if it counts nothing.
    counter_key: str | None = None
    # The Redis it counts in; None: a file.
    store: str | None = "redis"
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        return self.counter_key is not None

    def environment(self, address: Address, redis_url: str) -> dict[str, str]:
        """All of its environment; nothing else of ours reaches it."""
        return {
            "PATH": f"{PYTHON_BIN}:/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "NODE_ENV": "production",
            "REDIS_URL": redis_url,
            "SECRET_KEY": SECRET_KEY,
            "ADMIN_PASSWORD_HASH": PASSWORD_HASH,
            **self.settings,
        }


@dataclass(frozen=True)
class Footfall(Contestant):
    """Footfall with some settings."""

    def environment(self, address: Address, redis_url: str) -> dict[str, str]:
        return {
            "FOOTFALL_ENV": "production",
            "FOOTFALL_CONFIG": str(FOOTFALL_CONFIG),
            "FOOTFALL_LISTEN": address.text,
            # In the run's folder, where every server is started.
            "FOOTFALL_OPS_LISTEN": "unix:ops-{pid}.sock",
            "FOOTFALL_ADMIN_PASSWORD_HASH": PASSWORD_HASH,
            # As in the stack; who comes by TCP is not believed anyway.
            "FOOTFALL_PROXY_REQUEST_ID": "on",
            "FOOTFALL_WORKERS": str(SHIPPED_WORKERS),
            "SECRET_KEY": SECRET_KEY,
            "REDIS_URL": redis_url,
            **self.settings,
        }


def footfall(name: str, **settings: str) -> Contestant:
    """Footfall with some settings."""
    return Footfall(name, "Footfall", lambda _: [FOOTFALL], _VISITS, settings=settings)


def previous(binary: Path, name: str = PREVIOUS) -> Contestant:
    """An earlier revision. What it keeps in Redis may look different, so it has one of its own."""
    return Footfall(name, "Footfall before", lambda _: [binary], _VISITS, store="redis-previous")


def _hyper(address: Address) -> Command:
    return [HYPER, str(CORES), address.text]


def _flask(address: Address) -> Command:
    bind = address.text if address.is_unix else address.place
    # What gunicorn's manual recommends.
    workers = str(2 * CORES + 1)
    return [
        PYTHON_BIN / "gunicorn", "--bind", bind, "--workers", workers, "--worker-class", "gthread",
        "--threads", "16", "--keep-alive", "75", "--log-level", "warning",
        "--pythonpath", BENCH / "flask", "app:app",
    ]  # fmt: skip


def _fastapi(address: Address) -> Command:
    port = address.place.rpartition(":")[2]
    bind = ["--uds", address.place] if address.is_unix else ["--host", "127.0.0.1", "--port", port]
    return [
        PYTHON_BIN / "uvicorn", *bind, "--workers", str(CORES), "--no-access-log",
        "--log-level", "warning", "--timeout-keep-alive", "75", "--app-dir", BENCH / "fastapi", "app:app",
    ]  # fmt: skip


def _fastify(address: Address) -> Command:
    return [NODE, FASTIFY / "server.mjs", address.text, str(CORES)]


HYPER_LIMIT = Contestant("hyper", "bare hyper (the limit)", _hyper)
FOOTFALL_AS_SHIPPED = footfall("footfall")
FASTIFY_CLUSTER = Contestant("fastify", "Fastify", _fastify, "fastify:visits")
FASTIFY_EXACT = Contestant(
    "fastify-exact", "Fastify, same promise", _fastify, "fastify:visits", settings={"PROMISE": "exact"}
)  # fmt: skip
FASTAPI = Contestant("fastapi", "FastAPI", _fastapi, "fastapi:visits")
FLASK = Contestant("flask", "Flask", _flask, "flask:visits")

# Believes the X-Request-ID of who connects by TCP, as of a proxy on another machine.
FOOTFALL_TRUSTING = footfall("footfall-trusting", FOOTFALL_TRUSTED_PROXIES="127.0.0.1/32")
FOOTFALL_FORGETFUL = footfall("footfall-forgetful", FOOTFALL_DEDUP_WINDOW="0s")

# Those with a process of their own for all that is asked of them.
ALL = (HYPER_LIMIT, FOOTFALL_AS_SHIPPED, FASTIFY_CLUSTER, FASTAPI, FLASK)
COUNTING = (FOOTFALL_AS_SHIPPED, FASTIFY_EXACT, FASTIFY_CLUSTER, FASTAPI, FLASK)
LOGGING_IN = ALL[1:]
