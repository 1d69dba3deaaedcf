"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
TARGET = ROOT / "target" / "bench"

FOOTFALL = ROOT / "target" / "release" / "footfall"
# The same with debug symbols.
FOOTFALL_WITH_SYMBOLS = TARGET / "profiling" / "release" / "footfall"
FOOTFALL_CONFIG = ROOT / "config" / "footfall.toml"
REDIS_CONFIG = ROOT / "config" / "redis.conf"

LOAD = TARGET / "cargo" / "release" / "bench-load"
DELAY = TARGET / "cargo" / "release" / "bench-delay"
HYPER = TARGET / "cargo" / "release" / "bench-hyper"
PYTHON_BIN = TARGET / "python" / "bin"
FASTIFY = TARGET / "fastify"
WRK_SCRIPT = BENCH / "wrk.lua"

PUBLISHED = ROOT / "docs" / "benchmarks"
SCALING_PAGE = ROOT / "docs" / "scaling.md"
# What servers said in a run that failed.
LOGS = TARGET / "logs"
TRIAL = TARGET / "results"
