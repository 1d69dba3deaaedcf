"""Why a run ends early."""


class BenchError(Exception):
    """Something that makes the figures worthless; its text is one line for the person at the terminal."""
