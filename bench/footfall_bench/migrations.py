"""The tables of a database."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from .errors import BenchError


def migrate(binary: Path, environment: Mapping[str, str]) -> None:
    """Makes them, or what is missing of them, as the owner that `DATABASE_URL` names."""
    command = [str(binary), "migrate"]
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"footfall migrate: {(done.stdout + done.stderr).strip()}")
