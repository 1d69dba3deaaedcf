"""Whether a contestant does what is measured: before the run, and after each turn."""

import reprlib
from concurrent.futures import ThreadPoolExecutor

from .contestants import CREDENTIALS
from .errors import BenchError
from .http_client import Address, Client
from .instances import Instance

_CLIENTS = 8
_VISITS_EACH = 25


def check(instance: Instance) -> str:
    """Checks all of its answers and returns a token, if it has any."""
    name = instance.servers[0].name
    for address in instance.addresses:
        expect(name, "ping", Client(address).request("GET", "/api/ping"), (200, {"status": "ok"}))
    if not instance.contestant.counts:
        return ""
    _check_login(name, instance.addresses[0])
    token = log_in(name, instance)
    _check_counting(name, instance, token)
    return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def log_in(name: str, instance: Instance) -> str:
    """A token, which is good for some minutes at least."""
    client = Client(instance.addresses[0])
    status, answer = client.request("POST", "/auth/login", body=CREDENTIALS)
    expect(name, "login", status, 200)
    expect(name, "login", answer["token_type"], "Bearer")
    client.close()
    return str(answer["token"])


def _check_login(name: str, address: Address) -> None:
    client = Client(address)
    status, _ = client.request("POST", "/auth/login", body=CREDENTIALS | {"password": "wrong"})
    expect(name, "login with a wrong password", status, 401)
    client.close()


def _check_counting(name: str, instance: Instance, token: str) -> None:
    client = Client(instance.addresses[0])
    for headers in ({}, bearer("no.such.token"), bearer(token[:-6] + "AAAAAA")):
        status, _ = client.request("GET", "/api/count", headers)
        expect(name, "a count without a valid token", status, 401)

    def visit(number: int) -> list[int]:
        address = instance.addresses[number % len(instance.addresses)]
        client = Client(address)
        answers = [client.request("GET", "/api/count", bearer(token)) for _ in range(_VISITS_EACH)]
        client.close()
        return [answer[1]["visits"] for answer in answers]

    with ThreadPoolExecutor(_CLIENTS) as clients:
        numbers = sorted(number for some in clients.map(visit, range(_CLIENTS)) for number in some)
    expected = list(range(numbers[0], numbers[0] + _CLIENTS * _VISITS_EACH))
    if numbers != expected:
        raise BenchError(
            f"{name} gave {len(numbers)} simultaneous visits {len(set(numbers))} different numbers "
            f"from {numbers[0]} to {numbers[-1]}"
        )


def check_visits(name: str, counted: int, answered: int, connections: int) -> None:
    """A load ends with a request under way on each connection: it may have been counted."""
    if not answered <= counted <= answered + connections:
        raise BenchError(f"{name} answered {answered} visits and counted {counted}")


def check_repeats(instance: Instance, token: str) -> None:
    """Whether a visit that comes again with the same id is the same visit; one that only increments knows no ids."""
    name = instance.servers[0].name
    headers = bearer(token) | {"X-Request-ID": "0123456789abcdef0123456789abcdef"}
    client = Client(instance.addresses[0])
    first, again = (client.request("GET", "/api/count", headers)[1]["visits"] for _ in range(2))
    client.close()
    expect(name, "the number of a repeated visit", again, first)


def expect(name: str, what: str, seen: object, expected: object) -> None:
    if seen != expected:
        raise BenchError(f"{name}: {what} is {reprlib.repr(seen)}, not {reprlib.repr(expected)}")
