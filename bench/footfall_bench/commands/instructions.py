"""`bench/instructions.sh`"""

from ..errors import BenchError
from ..instructions import counting
from ..instructions.baseline import PATH, TOLERANCE_PERCENT, Baseline


def main(mode: str | None, _: int | None) -> None:
    if mode == "update":
        counted = {case.name: round(counting.per_request(case)) for case in counting.CASES}
        Baseline(TOLERANCE_PERCENT, counting.versions(), counted).write()
        for name, instructions in counted.items():
            print(f"{name:20} {instructions:9,} instructions per request")
        print(f"noted in {PATH.name}")
    else:
        _compare(Baseline.read())


def _compare(baseline: Baseline) -> None:
    used = counting.versions()
    for name, version in baseline.versions.items():
        if used.get(name) != version:
            print(f"noted with {version}, counted with {used.get(name)}: differences may be theirs")
    worse, better = [], []
    for case in counting.CASES:
        instructions = counting.per_request(case)
        change = baseline.change_percent(case.name, instructions)
        print(
            f"{case.name:20} {instructions:9,.0f} instructions per request, {change:+.1f} %",
            flush=True,
        )
        if change > baseline.tolerance_percent:
            worse.append(case.name)
        elif change < -baseline.tolerance_percent:
            better.append(case.name)
    if better:
        print(f"{', '.join(better)}: cheaper than noted. Keep that: bench/instructions.sh update")
    if worse:
        raise BenchError(
            f"{', '.join(worse)}: more than {baseline.tolerance_percent:g} % above what {PATH.name} notes"
        )
