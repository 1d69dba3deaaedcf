"""`bench/profile.sh`"""

from collections import Counter

from ..errors import BenchError
from ..instructions import callgrind, counting
from ..places import TARGET

_REQUESTS = 2_000
_MOST = 40


def main(mode: str | None, _: int | None) -> None:
    case = next((case for case in counting.CASES if case.name == mode), None)
    if case is None:
        names = ", ".join(case.name for case in counting.CASES)
        raise BenchError(f"there is no {mode}, only {names}")
    dump = counting.profile(case, _REQUESTS)
    path = TARGET / f"profile-{case.name}.out"
    path.write_text(dump)
    costs = callgrind.self_costs(dump)
    total = sum(costs.crates.values())
    print(
        f"{case.name}: {total / _REQUESTS:,.0f} instructions per request, inlined code included where it is\n"
    )
    _print("crate", costs.crates, total)
    functions = Counter(
        {f"{crate}: {name}": cost for (name, crate), cost in costs.functions.items()}
    )
    _print("code of which crate: in which function", functions, total)
    print(f"By caller: callgrind_annotate --inclusive=yes --tree=both {path}")


def _print(title: str, costs: Counter[str], total: int) -> None:
    print(f"{'instr.':>8} {'%':>5}  {title}")
    for name, cost in costs.most_common(_MOST):
        if cost >= total / 1000:
            print(f"{cost / _REQUESTS:8,.0f} {100 * cost / total:5.1f}  {name[:160]}")
    print()
