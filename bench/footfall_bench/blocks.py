"""Parts of a page that are generated, between two comments each; the rest is written by people."""

import re
from collections.abc import Mapping

from .errors import BenchError


def fill(page: str, blocks: Mapping[str, str]) -> str:
    """The page with these parts."""
    for name, text in blocks.items():
        begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        filled = f"{begin}\n{text.strip()}\n{end}"
        page, number = pattern.subn(filled.replace("\\", r"\\"), page)
        if number != 1:
            raise BenchError(f"the page has {number} places for {name}, not one")
    return page
