"""Writing results: all of a run's files, or none."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .places import PUBLISHED, TARGET, TRIAL
from .plans import Plan


class Publication:
    """Files that appear together, when all of them are written."""

    def __init__(self, plan: Plan) -> None:
        self.place = PUBLISHED if plan.published else TRIAL
        self._elsewhere: dict[str, Path] = {}
        TARGET.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="results-", dir=TARGET))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """With each element of a list on a line of its own, so that differences can be read."""
        entries = (f"{json.dumps(key)}: {_value(value)}" for key, value in document.items())
        self.write(name, "{\n" + ",\n".join(entries) + "\n}\n")

    def write_page(self, page: Path, text: str) -> None:
        """Replaces a page that is not among the results, unless this is a trial."""
        self.write(page.name, text)
        if self.place is PUBLISHED:
            self._elsewhere[page.name] = page

    def finish(self) -> None:
        """Puts all files where they belong. Each appears as a whole."""
        self.place.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.iterdir()):
            os.replace(path, self._elsewhere.get(path.name, self.place / path.name))
        self.discard()
        print(f"== results are in {os.path.relpath(self.place)}", flush=True)

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    elements = (json.dumps(element, ensure_ascii=False) for element in value)
    return "[\n" + ",\n".join(elements) + "\n]"
