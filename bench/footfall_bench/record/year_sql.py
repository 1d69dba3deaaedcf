"""How a year of visits is made: as the record has it, but for the sums, which the service makes."""

from collections.abc import Iterator

COUNTER = "year"

# A year and what is needed for ten million with so many visits a day that they are whole milliseconds apart.
DAYS = 371

_DAY = 86_400_000
_VISITORS = 500_000
# Visits of one run: as many as there are times in one that is full.
_RUN = 270

# The first day, and the day after the last one.
SPAN = f"""
SELECT DATE '1970-01-01' + (through_at / {_DAY} - {DAYS - 1})::int, DATE '1970-01-01' + (through_at / {_DAY} + 1)::int
FROM recordings WHERE counter = '{COUNTER}'
"""


def steps(visits_a_day: int) -> Iterator[str]:
    """What is to be done, one after the other."""
    visits = visits_a_day * DAYS
    apart = _DAY // visits_a_day
    start = f"(extract(epoch FROM current_date) * 1000)::bigint - {DAYS * _DAY}"
    company = "(SELECT id FROM companies)"
    which = f"(SELECT id FROM recordings WHERE counter = '{COUNTER}')"
    first = f"(SELECT created_at FROM recordings WHERE counter = '{COUNTER}')"
    yield f"""
        INSERT INTO recordings (company_id, counter, recorded, retention_days, visitor, began, base, through,
            through_at, last_text, created_at)
        SELECT {company}, '{COUNTER}', true, 3650, 'hashed', 0, 0, {visits},
            {start} + {(visits - 1) * apart}, 1480, {start}"""
    yield f"""
        SELECT footfall_make_visits_partition(at) FROM generate_series({first}, {first} + {DAYS * _DAY}, {_DAY}) AS at"""
    yield f"""
        INSERT INTO visitors (company_id, key)
        SELECT {company}, '#' || left(md5(n::text), 22) FROM generate_series(1, {_VISITORS}) AS n"""
    # Some values are frequent and most are rare, as everywhere.
    yield f"""
        INSERT INTO visits (company_id, recording_id, number, at, visitor, path, referrer, campaign, country, properties)
        SELECT {company}, {which}, n, {first} + (n - 1) * {apart}, 1 + floor({_VISITORS} * random()),
            1 + floor(1000 * random() ^ 3), 1001 + floor(200 * random() ^ 3), 1201 + floor(20 * random() ^ 3),
            1401 + floor(60 * random() ^ 3),
            jsonb_build_object('plan', (ARRAY['free', 'team', 'pro'])[1 + floor(3 * random() ^ 2)::int],
                'version', floor(100 * random() ^ 2)::int)
        FROM generate_series(1, {visits}::bigint) AS n"""
    yield f"""
        INSERT INTO texts (company_id, recording_id, id, text, uses)
        SELECT {company}, {which}, coalesce(path, referrer, campaign, country),
            coalesce('/articles/' || path, 'https://search.example/' || referrer, 'spring-' || campaign,
                chr((65 + (country - 1401) / 26)::int) || chr((65 + (country - 1401) % 26)::int)), count(*)
        FROM visits GROUP BY GROUPING SETS ((path), (referrer), (campaign), (country))"""
    pair = "01" + _leb128(apart).hex()
    yield f"""
        INSERT INTO runs (company_id, recording_id, first, last, first_at, last_at, times)
        SELECT {company}, {which}, n, n + visits - 1, {first} + (n - 1) * {apart},
            {first} + (n + visits - 2) * {apart},
            decode('0100' || repeat('{pair}', visits - 1), 'hex')
        FROM (SELECT day * {visits_a_day} + run + 1 AS n, least({_RUN}, {visits_a_day} - run) AS visits
            FROM generate_series(0, {DAYS - 1}::bigint) AS day, generate_series(0, {visits_a_day - 1}, {_RUN}) AS run) AS runs"""
    # Of the last 90 days each minute, of the others the last in a quarter of an hour.
    yield f"""
        INSERT INTO marks (company_id, recording_id, minute, number)
        SELECT {company}, {which}, max(minute), max(number)
        FROM (SELECT at / 60000 AS minute, number FROM visits) AS visits
        GROUP BY CASE WHEN minute * 60 > extract(epoch FROM now()) - 90 * 86400 THEN minute ELSE -(minute / 15) END"""
    yield "VACUUM ANALYZE"


def _leb128(number: int) -> bytes:
    """As DWARF 5, section 7.6, has it."""
    packed = bytearray()
    while number >= 0x80:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*packed, number])
