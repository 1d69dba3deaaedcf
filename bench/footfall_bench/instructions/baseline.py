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

    def change_percent(self, name: str, counted: float) -> float:
        """How much more or less that is than noted."""
        if name not in self.instructions:
            raise BenchError(f"{PATH.name} does not know {name}: make it with `update`")
        return 100 * (counted / self.instructions[name] - 1)
