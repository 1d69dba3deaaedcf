"""What a console shows beside the visits of audiences: many counters with visits of the last days, and many people.

The counters are made anew each time, since what home shows is of today. Their visits carry nothing.
"""

from collections.abc import Iterator

from ..audiences.visits_sql import POSTGRES, Dialect
from ..contestants import PASSWORD_HASH

# As people log in who are made here.
EMAIL = "reader{}@bench.example"

PEOPLE = 1_000

# An hour apart, up to now.
VISITS = 8 * 24

_HOUR = 3_600_000
# One visit, an hour after the one before, as LEB128 numbers (DWARF 5, section 7.6).
_AN_HOUR_LATER = "01" + "80dddb01"

_COUNTER = "counter-"


def name(number: int) -> str:
    """Of one of the counters."""
    return f"{_COUNTER}{number}"


def steps(dialect: Dialect, counters: int, now: int) -> Iterator[str]:
    """What is to be done, one after the other; the moment is in Unix milliseconds."""
    company = "(SELECT id FROM companies WHERE name_key = 'default')"
    ours = f"recordings WHERE counter LIKE '{_COUNTER}%'"
    first_at = now - (VISITS - 1) * _HOUR
    every = dialect.series.format(last=counters - 1)
    hours = dialect.series.format(last=VISITS - 1)
    yield f"""
        INSERT INTO recordings (company_id, counter, recorded, retention_days, visitor, began, base, through,
            through_at, created_at)
        SELECT {company}, '{_COUNTER}' || n, true, 3650, 'hashed', 0, 0, {VISITS}, {now}, {first_at} FROM {every}
        WHERE true ON CONFLICT (company_id, counter) DO UPDATE SET through_at = excluded.through_at"""
    for table in ("marks", "runs"):
        yield f"DELETE FROM {table} WHERE recording_id IN (SELECT id FROM {ours})"
    yield f"""
        INSERT INTO marks (company_id, recording_id, minute, number)
        SELECT {company}, recordings.id, ({first_at} + n * {_HOUR}) / 60000, n + 1
        FROM {hours}, {ours}"""
    times = dialect.bytes.format(hex="0100" + _AN_HOUR_LATER * (VISITS - 1))
    yield f"""
        INSERT INTO runs (company_id, recording_id, first, last, first_at, last_at, times)
        SELECT {company}, recordings.id, 1, {VISITS}, {first_at}, {now}, {times} FROM {ours}"""
    email = "'" + EMAIL.format("' || n || '") + "'"
    new_id = "gen_random_uuid()" if dialect is POSTGRES else "randomblob(16)"
    yield f"""
        INSERT INTO users (id, company_id, email, email_key, username, username_key, role, state, password_hash,
            generation, created_at, updated_at)
        SELECT {new_id}, {company}, {email}, {email}, 'reader' || n, 'reader' || n, 'admin', 'active',
            '{PASSWORD_HASH}', 1, {now}, {now}
        FROM {dialect.series.format(last=PEOPLE - 1)} WHERE true ON CONFLICT DO NOTHING"""
