"""What takes long to make, and so is made once and kept in target/bench."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


class Step:
    """Something that is done once for what it is made of; a file says that it is, so that who was interrupted goes
    on from there."""

    def __init__(self, file: Path, digest: str) -> None:
        self._file = file
        self._digest = digest

    @property
    def is_done(self) -> bool:
        return self._file.exists() and self._file.read_text() == self._digest

    def done(self) -> None:
        self._file.write_text(self._digest)


def digest(folders: Iterable[Path], *others: object) -> str:
    """Of all files of these folders, and of what else makes a thing what it is."""
    files = b"".join(
        path.read_bytes() for folder in folders for path in sorted(folder.iterdir())
    )
    return hashlib.sha256(files + repr(others).encode()).hexdigest()
