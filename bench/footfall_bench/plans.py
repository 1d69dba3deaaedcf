"""How long a run is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How often and how long each thing is measured."""

    name: str
    # Of every cell, in an order of their own each time.
    repetitions: int
    seconds: float
    # Of a load at a fixed rate: rare latencies need many requests.
    paced_seconds: float
    starts: int
    # In so many of them the memory is looked at, which takes a second.
    idle_starts: int
    # Of one measurement of `scaling.sh`.
    scaling_seconds: float
    # "Many" there.
    counters: int
    # Of its windows of identities.
    windows_seconds: tuple[int, ...]
    windows_repetitions: int
    # Of `record.sh`: its rounds, one measurement, its load at a fixed rate and how often that is sent, and how many
    # visits it looks at for what they take.
    record_repetitions: int
    record_seconds: float
    keeping_up_repetitions: int
    keeping_up_seconds: float
    record_visits: int
    # Of its year, which has 371 days. Whole milliseconds are between two of them.
    visits_a_day: int
    # Of `audiences.sh`: its rounds, and its visits, of which each visitor has ten.
    audience_repetitions: int
    audience_visits: int
    # Of `console.sh`, which has the visits of audiences: its rounds, how often each page is asked for in one, its
    # counters beside those of audiences, and one measurement of counting.
    console_repetitions: int
    console_times: int
    console_counters: int
    console_seconds: float

    @property
    def published(self) -> bool:
        """Whether its results are to be looked at."""
        return self is FULL


FULL = Plan(
    "full",
    repetitions=5,
    seconds=1.5,
    paced_seconds=3.0,
    starts=15,
    idle_starts=5,
    scaling_seconds=1.5,
    counters=100_000,
    windows_seconds=(1, 2, 4),
    windows_repetitions=3,
    record_repetitions=10,
    record_seconds=1.0,
    keeping_up_repetitions=3,
    keeping_up_seconds=6.0,
    record_visits=200_000,
    visits_a_day=27_000,
    audience_repetitions=3,
    audience_visits=10_000_000,
    console_repetitions=2,
    console_times=7,
    console_counters=1_000,
    console_seconds=1.5,
)
QUICK = Plan(
    "quick",
    repetitions=1,
    seconds=0.3,
    paced_seconds=0.6,
    starts=2,
    idle_starts=1,
    scaling_seconds=0.5,
    counters=2_000,
    windows_seconds=(1,),
    windows_repetitions=1,
    record_repetitions=1,
    record_seconds=0.5,
    keeping_up_repetitions=1,
    keeping_up_seconds=2.0,
    record_visits=20_000,
    visits_a_day=270,
    audience_repetitions=1,
    audience_visits=100_000,
    console_repetitions=1,
    console_times=2,
    console_counters=100,
    console_seconds=0.5,
)

# Before each measurement, so that connections are open and code is compiled.
WARM_UP_SECONDS = 0.2
CONNECTIONS = 64
# As many as hide the wait for a disk: with 64 a third of the CPU has nothing to do meanwhile.
MANY_CONNECTIONS = 256
LOGIN_CONNECTIONS = 8
