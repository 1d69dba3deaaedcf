"""How the visits of audiences are made: as the record has them, but for the sums, which the service makes.

Of every five visits two are sign-ups, two views of pages and one a refund, as if they had come one after the other in
the 30 days up to noon of yesterday (UTC).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

DAYS = 30

_DAY = 86_400_000
_SPAN = DAYS * _DAY
_VISITS_EACH = 10
# Visits of one run.
_RUN = 250
_PATHS = 100


@dataclass(frozen=True)
class Dialect:
    """Where the two databases differ."""

    # A table `series` with the numbers `n` from 0 on.
    series: str
    json: str
    bytes: str


POSTGRES = Dialect("generate_series(0, {last}::bigint) AS series (n)", "jsonb", "'\\x{hex}'::bytea")
SQLITE = Dialect(
    "(WITH RECURSIVE counted (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n < {last})"
    " SELECT n FROM counted) AS series",
    "TEXT",
    "X'{hex}'",
)


@dataclass(frozen=True)
class Counter:
    """A counter, and which of every five visits are its own."""

    name: str
    first: int
    of_five: int


COUNTERS = (Counter("signup", 0, 2), Counter("page", 2, 2), Counter("refund", 4, 1))


def start() -> int:
    """Noon of the day 31 days ago, in Unix milliseconds."""
    today = int(time.time() * 1000) // _DAY * _DAY
    return today - _SPAN - _DAY // 2


def steps(dialect: Dialect, visits: int, start: int) -> Iterator[str]:
    """What is to be done, one after the other."""
    # Of a visit after the first of each five.
    offsets = [place * _SPAN // visits for place in range(5)]
    of_five = 5 * _SPAN // visits
    fives = visits // 5
    company = "(SELECT id FROM companies)"
    visitors = visits // _VISITS_EACH
    if dialect is POSTGRES:
        days = f"generate_series({start}, {start} + {_SPAN}, {_DAY})"
        yield f"SELECT footfall_make_visits_partition(at) FROM {days} AS at"

    def series(numbers: int) -> str:
        return dialect.series.format(last=numbers - 1)

    for counter in COUNTERS:
        last_at = start + (fives - 1) * of_five + offsets[counter.first + counter.of_five - 1]
        yield f"""
            INSERT INTO recordings (company_id, counter, recorded, retention_days, visitor, began, base, through,
                through_at, last_text, created_at)
            SELECT {company}, '{counter.name}', true, 3650, 'given', 0, 0, {fives * counter.of_five},
                {last_at}, {_PATHS}, {start}"""
    yield f"INSERT INTO visitors (company_id, key) SELECT {company}, '=visitor-' || n FROM {series(visitors)}"
    number = " ".join(
        f"WHEN {counter.first + place} THEN n / 5 * {counter.of_five} + {place + 1}"
        for counter in COUNTERS
        for place in range(counter.of_five)
    )
    counted_on = " ".join(
        f"WHEN {counter.first + place} THEN '{counter.name}'"
        for counter in COUNTERS
        for place in range(counter.of_five)
    )
    yield f"""
        INSERT INTO visits (company_id, recording_id, number, at, visitor, path, properties)
        SELECT {company}, recordings.id, CASE n % 5 {number} END, {start} + n * {_SPAN} / {visits},
            {_scattered(1103515245, visitors)} + 1, {_scattered(69621, _PATHS)} + 1,
            CAST('{{"amount":' || (n % 1000) || ',"plan":"'
                || CASE {_scattered(48271, 4)} WHEN 0 THEN 'pro' WHEN 1 THEN 'team' ELSE 'free' END || '"}}' AS {dialect.json})
        FROM {series(visits)} JOIN recordings ON counter = CASE n % 5 {counted_on} END"""
    yield f"""
        INSERT INTO texts (company_id, recording_id, id, text, uses)
        SELECT {company}, recording_id, path, '/' || path, count(*) FROM visits GROUP BY recording_id, path"""
    yield f"""
        INSERT INTO marks (company_id, recording_id, minute, number)
        SELECT {company}, recording_id, at / 60000, max(number) FROM visits GROUP BY recording_id, at / 60000"""
    for counter in COUNTERS:
        within = [offsets[counter.first + place] for place in range(counter.of_five)]
        fives_of_run = _RUN // counter.of_five
        times = [five * of_five + offset for five in range(fives_of_run) for offset in within]
        after = [0] + [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        pairs = "".join("01" + _leb128(milliseconds).hex() for milliseconds in after)
        first_at = f"{start} + n * {fives_of_run * of_five} + {within[0]}"
        yield f"""
            INSERT INTO runs (company_id, recording_id, first, last, first_at, last_at, times)
            SELECT {company}, id, n * {_RUN} + 1, (n + 1) * {_RUN}, {first_at},
                {first_at} + {sum(after)}, {dialect.bytes.format(hex=pairs)}
            FROM recordings, {series(fives // fives_of_run)} WHERE counter = '{counter.name}'"""


def _scattered(multiplier: int, below: int) -> str:
    """A number for each visit, as if by chance and in every run the same: squares by a prime, which fit into 63 bits."""
    prime = 2**31 - 1
    multiplied = f"((n + 1) * {multiplier} % {prime})"
    return f"{multiplied} * {multiplied} % {prime} % {below}"


def _leb128(number: int) -> bytes:
    """As DWARF 5, section 7.6, has it."""
    packed = bytearray()
    while number >= 0x80:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*packed, number])
