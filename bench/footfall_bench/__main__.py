"""`python -m footfall_bench COMMAND`; the scripts beside this package are how it is meant to be used."""

import argparse
import importlib
import sys
from http.client import HTTPException

from . import ending
from .errors import BenchError

# What may follow each command; None: it knows itself.
_MODES: dict[str, tuple[str, ...] | None] = {
    "run": ("quick",),
    "scaling": ("quick",),
    "record": ("quick",),
    "audiences": ("quick",),
    "console": ("quick",),
    "identities": (),
    "durability": (),
    "disk": (),
    "instructions": ("update", "image"),
    "profile": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="footfall_bench")
    parser.add_argument("command", choices=_MODES)
    parser.add_argument("mode", nargs="?", help="what each command makes of it")
    parser.add_argument("--seed", type=int, help="of the order; without, another one each time")
    arguments = parser.parse_args()
    modes = _MODES[arguments.command]
    if arguments.mode is not None and modes is not None and arguments.mode not in modes:
        known = f"only {', '.join(modes)}" if modes else "nothing"
        parser.error(f"{arguments.command} knows no {arguments.mode}, {known}")
    ending.listen()
    # Only what a command needs is loaded: counting instructions needs none of the Python packages.
    command = importlib.import_module(f".commands.{arguments.command}", __package__)
    try:
        command.main(arguments.mode, arguments.seed)
    except BenchError as error:
        sys.exit(f"{arguments.command}: {error}")
    except (OSError, HTTPException) as error:
        # A full disk, for example. What can be said better is said where it happens.
        sys.exit(f"{arguments.command}: {error or type(error).__name__}")


main()
