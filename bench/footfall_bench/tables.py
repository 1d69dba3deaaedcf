"""What the tables of a comparison have in common."""

from .cells import Cell, is_exact
from .contestants import ALL, COUNTING, FOOTFALL_AS_SHIPPED, PREVIOUS
from .markdown import number
from .spread import Spread

TITLES = {contestant.name: contestant.title for contestant in (*ALL, *COUNTING)} | {
    PREVIOUS: "Footfall before"
}

# Those that are compared only among each other: with the promise that a visit is counted once, and without.
_EXACT = {contestant.name for contestant in COUNTING if is_exact(contestant)} | {PREVIOUS}


def name(cell: Cell) -> str:
    """What a row is about."""
    title = TITLES[cell.contestant]
    if cell.operation != "count":
        return f"{title}: {cell.operation}"
    if cell.contestant == FOOTFALL_AS_SHIPPED.name and not cell.identities:
        return f"{title}: count, remembering no identities"
    promise = "exactly once" if cell.contestant in _EXACT else "increments only"
    return f"{title}: count, {promise}"


def rate(spread: Spread) -> list[str]:
    """A rate, and how far from it single measurements were."""
    return [number(spread.median), f"{spread.percent:.0f} %"]
