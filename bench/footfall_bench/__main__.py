"""`python -m footfall_bench COMMAND`; the scripts beside this package are how it is meant to be used."""

import argparse
import importlib
import signal
import sys
from types import FrameType

from .errors import BenchError

_COMMANDS = ("run", "scaling", "identities", "instructions", "profile")


def _end(number: int, _: FrameType | None) -> None:
    # Unwinds, so that everything that was started is stopped.
    raise SystemExit(128 + number)


def main() -> None:
    parser = argparse.ArgumentParser(prog="footfall_bench")
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("mode", nargs="?", help="what each command makes of it")
    parser.add_argument("--seed", type=int, help="of the order; without, another one each time")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    # Only what a command needs is loaded: counting instructions needs none of the Python packages.
    command = importlib.import_module(f".commands.{arguments.command}", __package__)
    try:
        command.main(arguments.mode, arguments.seed)
    except BenchError as error:
        sys.exit(f"{arguments.command}: {error}")


main()
