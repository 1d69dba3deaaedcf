"""Writing results: all of a run's files, or none."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import ending
from .errors import BenchError
from .places import PUBLISHED, ROOT, TRIAL
from .plans import Plan


class Publication:
    """Files that appear together, when all of them are written."""

    def __init__(self, plan: Plan) -> None:
        self.place = PUBLISHED if plan.published else TRIAL
        self._elsewhere: dict[str, Path] = {}
        self.place.mkdir(parents=True, exist_ok=True)
        # In the filesystem where they go, so that each can be moved there as a whole.
        self.folder = Path(tempfile.mkdtemp(prefix=".results-", dir=self.place.parent))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """With each element of a list on a line of its own, so that differences can be read."""
        entries = (f"{json.dumps(key)}: {_value(value)}" for key, value in document.items())
        self.write(name, "{\n" + ",\n".join(entries) + "\n}\n")

    def write_page(self, page: Path, text: str) -> None:
        """Replaces a page that is not among the results, unless this is a trial."""
        # Several are called README.md.
        name = "-".join(page.relative_to(ROOT).parts)
        self.write(name, text)
        if self.place is PUBLISHED:
            self._elsewhere[name] = page

    def finish(self) -> None:
        """Puts all files where they belong; if one cannot be, those before it are taken back."""
        # Pages last: they show the others.
        files = sorted(self.folder.iterdir(), key=lambda path: (path.suffix == ".md", path.name))
        replaced: list[tuple[Path, bytes | None]] = []
        with ending.held():
            try:
                for path in files:
                    goal = self._elsewhere.get(path.name, self.place / path.name)
                    before = goal.read_bytes() if goal.exists() else None
                    os.replace(path, goal)
                    replaced.append((goal, before))
            except OSError as error:
                _take_back(replaced)
                raise BenchError(f"the results could not be put in place: {error}") from error
        self.discard()
        print(f"== results are in {os.path.relpath(self.place)}", flush=True)

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def publish(plan: Plan, name: str, page: str, document: Mapping[str, Any]) -> None:
    """Writes what is one page and its figures."""
    publication = Publication(plan)
    try:
        publication.write(f"{name}.md", page)
        publication.write_json(f"{name}.json", document)
        publication.finish()
    finally:
        publication.discard()


def _take_back(replaced: list[tuple[Path, bytes | None]]) -> None:
    for goal, before in replaced:
        if before is None:
            goal.unlink()
        else:
            goal.write_bytes(before)


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    elements = (json.dumps(element, ensure_ascii=False) for element in value)
    return "[\n" + ",\n".join(elements) + "\n]"
