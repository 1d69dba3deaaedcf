"""What was counted before: bench/instructions.json."""

import json
from dataclasses import dataclass

from ..errors import BenchError
from ..places import BENCH

PATH = BENCH / "instructions.json"

# How much more a request may cost: what `update` writes into the file. A comparison reads it there.
TOLERANCE_PERCENT = 3.0


@dataclass(frozen=True)
class Baseline:
    """Instructions per request, and what they were counted with."""

    tolerance_percent: float
    versions: dict[str, str]
    instructions: dict[str, int]
    # Of the image that the tests of the stack build, with the profile `start`.
    instructions_of_image: dict[str, int]

    @classmethod
    def read(cls) -> "Baseline":
        try:
            return cls(**json.loads(PATH.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise BenchError(
                f"{PATH.name} cannot be read ({error}): make it with `update`"
            ) from error

    def write(self) -> None:
        PATH.write_text(json.dumps(vars(self), indent=2) + "\n")

    def other_versions(self, used: dict[str, str]) -> list[str]:
        """What is not what was counted with."""
        names = sorted(self.versions.keys() | used.keys())
        return [
            f"{name}: noted with {self.versions.get(name)}, here is {used.get(name)}"
            for name in names
            if self.versions.get(name) != used.get(name)
        ]

    @staticmethod
    def change_percent(noted: dict[str, int], name: str, counted: float) -> float:
        """How much more or less that is than noted."""
        if name not in noted:
            raise BenchError(f"{PATH.name} does not know {name}: make it with `update`")
        return 100 * (counted / noted[name] - 1)
