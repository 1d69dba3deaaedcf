"""What other programs took of the machine, in words."""

from .markdown import share
from .spread import Spread

# Others' share of the CPU from which on a measurement is worth little.
NOISY_SHARE = 0.05


def quietness(foreign: Spread | float, trust: str = "do not trust this run") -> str:
    """What they took, of each measurement or of all together; if that was much, what of the run can be trusted all
    the same."""
    if isinstance(foreign, Spread):
        typical = foreign.median
        took = f"{share(typical)} of the CPU in the median measurement and {share(foreign.high)} in the worst"
    else:
        typical = foreign
        took = f"{share(typical)} of the CPU"
    warning = "" if typical < NOISY_SHARE else f" **The machine was not quiet: {trust}.**"
    return f"Other programs took {took}.{warning}"
