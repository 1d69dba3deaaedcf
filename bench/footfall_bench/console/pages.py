"""Which pages there are: all that links lead to, one of each kind."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

from ..errors import BenchError
from .reader import Reader
from .stage import LARGEST

ROOT = "/console/"

# Where it begins, so that of each kind the page is looked at that has the most on it.
_FIRST = (
    "",
    "counters",
    f"counters/{LARGEST}",
    f"counters/{LARGEST}/visits/4711",
    "counters?q=counter&page=2",
    "audiences",
)

# Files, and what ends the session.
_NO_PAGES = re.compile(r"/console/(assets/.*|logout|.*export)$")

# Who is in an audience, and what many visits carried, has to be looked for in all of them: the rest of a page does not wait
# for that.
_LONG = re.compile(r"/console/(audiences/\{id\}/members|.*[?&](as_of|size|values)\b)")

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOADED = re.compile(r'<(?:link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"')
_LINKS = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"')

# What of a query makes another kind of page, whatever else is in it.
_CHOICES = ("range", "sort", "size")


@dataclass(frozen=True)
class Page:
    """One of a kind. Which one may differ from start to start."""

    kind: str
    path: str = field(compare=False)

    @property
    def is_long(self) -> bool:
        """Whether it shows what other pages do not wait for."""
        return _LONG.match(self.kind) is not None


def all_of(reader: Reader) -> list[Page]:
    """All that links lead to."""
    found: dict[str, Page] = {}
    waiting = deque(ROOT + path for path in _FIRST)
    while waiting:
        path = waiting.popleft()
        page = Page(_kind(path), path)
        if page.kind in found:
            continue
        found[page.kind] = page
        answer = reader.get(path)
        if answer.status != 200:
            raise BenchError(f"{path} answered {answer.status}")
        waiting.extend(_links(path, answer.body.decode()))
    return list(found.values())


def weight(reader: Reader, path: str) -> int:
    """The bytes of a page with all that it loads."""
    page = reader.get(path).body
    loaded = {urljoin(path, unescape(link)) for link in _LOADED.findall(page.decode())}
    return len(page) + sum(len(reader.get(file).body) for file in loaded)


def _links(path: str, html: str) -> Iterator[str]:
    for link in _LINKS.findall(html):
        to = urlsplit(urljoin(path, unescape(link)))
        if not to.netloc and to.path.startswith(ROOT) and not _NO_PAGES.match(to.path):
            yield to._replace(fragment="").geturl()


def _kind(path: str) -> str:
    """The same for all pages that differ in what they are about only."""
    parts = urlsplit(path)
    kind = _UUID.sub("{id}", parts.path)
    kind = re.sub(r"/counters/(?!\+)[^/]+", "/counters/{name}", kind)
    kind = re.sub(r"/\d+(?=/|$)", "/{number}", kind)
    query = [
        f"{name}={value}" if name in _CHOICES else name for name, value in parse_qsl(parts.query)
    ]
    return "?".join([kind, "&".join(sorted(set(query)))]) if query else kind
