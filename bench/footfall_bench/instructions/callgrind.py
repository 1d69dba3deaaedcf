"""Reading what callgrind writes.

callgrind_annotate does it, too, but takes calls that were under way when counting began for work of
the caller's own, and lists files where the question is whose crate it is.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from ..places import ROOT

_NAME = re.compile(r"(fl|fi|fe|fn|cfi|cfl|cfn|cob|ob)=\((\d+)\)(?: (.*))?")
_OUR_SOURCE = ("src/", f"{ROOT}/src/")
_CRATE = re.compile(r"/(?:registry/src/[^/]+|rust/deps)/(.+?)-\d[^/]*/")
# callgrind has one table of names for files, one for functions, one for objects.
_TABLES = {"fl": "file", "fi": "file", "fe": "file", "cfi": "file", "cfl": "file",
           "fn": "function", "cfn": "function", "ob": "object", "cob": "object"}  # fmt: skip


@dataclass
class Costs:
    """Instructions by who executed them, inlined code under its own name."""

    crates: Counter[str] = field(default_factory=Counter)
    # A function, and the crate of the code in it.
    functions: Counter[tuple[str, str]] = field(default_factory=Counter)


def self_costs(dump: str) -> Costs:
    """What each executed itself, without what it called."""
    costs = Costs()
    names: dict[tuple[str, str], str] = {}
    current = {"file": "", "function": "", "object": ""}
    is_call = False
    for line in dump.splitlines():
        if named := _NAME.match(line):
            kind, number, name = named.groups()
            text = names.setdefault((_TABLES[kind], number), name or "")
            if not kind.startswith("c"):
                current[_TABLES[kind]] = text
        elif line.startswith("calls="):
            is_call = True
        elif line[:1] in "+-*0123456789" and " " in line:
            cost = line.split()[1]
            if not is_call:
                crate = _crate(current["file"])
                costs.crates[crate] += int(cost)
                costs.functions[current["function"], crate] += int(cost)
            is_call = False
    return costs


def _crate(file: str) -> str:
    if found := _CRATE.search(file):
        return found[1]
    if found := re.match(r"/rustc/[0-9a-f]+/library/(\w+)", file):
        return found[1]
    return "footfall" if file.startswith(_OUR_SOURCE) else "libc"
