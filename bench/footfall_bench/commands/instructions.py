"""`bench/instructions.sh`"""

from pathlib import Path

from ..errors import BenchError
from ..instructions import counting
from ..instructions.baseline import PATH, TOLERANCE_PERCENT, Baseline
from ..places import FOOTFALL, FOOTFALL_OF_IMAGE


def main(mode: str | None, _: int | None) -> None:
    match mode:
        case "update":
            counted = _counted(FOOTFALL)
            of_image = _counted(FOOTFALL_OF_IMAGE) if FOOTFALL_OF_IMAGE.exists() else {}
            Baseline(TOLERANCE_PERCENT, counting.versions(FOOTFALL), counted, of_image).write()
            print(f"noted in {PATH.name}")
        case "image":
            baseline = Baseline.read()
            _compare(baseline, baseline.instructions_of_image, FOOTFALL_OF_IMAGE)
        case _:
            baseline = Baseline.read()
            _compare(baseline, baseline.instructions, FOOTFALL)


def _counted(binary: Path) -> dict[str, int]:
    counted = {}
    for case in counting.CASES:
        counted[case.name] = round(counting.per_request(case, binary))
        print(f"{case.name:26} {counted[case.name]:9,} instructions per request", flush=True)
    return counted


def _compare(baseline: Baseline, noted: dict[str, int], binary: Path) -> None:
    if other := baseline.other_versions(counting.versions(binary)):
        # What differs may be theirs: to fail then would be as wrong as to say that all is well.
        print("NOT COMPARED, since counts depend on more than the source:")
        for difference in other:
            print(f"  {difference}")
        print("Note them anew where nothing else has changed: bench/instructions.sh update")
        _counted(binary)
        return
    worse, better = [], []
    for case in counting.CASES:
        instructions = counting.per_request(case, binary)
        change = baseline.change_percent(noted, case.name, instructions)
        print(
            f"{case.name:26} {instructions:9,.0f} instructions per request, {change:+.1f} %",
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
