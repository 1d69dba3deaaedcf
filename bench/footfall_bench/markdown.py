"""Small pieces of Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, its first column for words and the others for figures."""
    rule = ["---"] + ["--:"] * (len(head) - 1)
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(value: float) -> str:
    """A figure with three digits that mean something, or all before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.1g}"


def share(value: float) -> str:
    return f"{100 * value:.0f} %"


def section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *(part.strip() for part in parts)]) + "\n"
