"""What other programs took of the machine, in words."""

from .markdown import share
from .spread import Spread

# Others' share of the CPU from which on a measurement is worth little.
NOISY_SHARE = 0.05


def quietness(foreign: Spread, trust: str = "do not trust this run") -> str:
    """What they took, and if that was much, what of the run can be trusted all the same."""
    warning = "" if foreign.median < NOISY_SHARE else f" **The machine was not quiet: {trust}.**"
    return (
        f"Other programs took {share(foreign.median)} of the CPU in the median measurement and "
        f"{share(foreign.high)} in the worst.{warning}"
    )
