"""Pictures, as SVG."""

import io
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("svg")
# The same figures make the same file.
matplotlib.rcParams["svg.hashsalt"] = "footfall"
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["font.family"] = "sans-serif"
matplotlib.rcParams["axes.spines.top"] = False
matplotlib.rcParams["axes.spines.right"] = False

from matplotlib import pyplot  # noqa: E402  (the settings above come first)
from matplotlib.figure import Figure  # noqa: E402

_COLOURS = ("#1b6ca8", "#f2a65a", "#6a994e", "#a23b72", "#7d7d7d", "#2a2a2a")


def bars(
    title: str,
    axis: str,
    names: Sequence[str],
    series: Mapping[str, Sequence[float]],
) -> str:
    """Horizontal bars, grouped by name, each with its figure."""
    height = 0.8 / len(series)
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.34 * len(names) * len(series)))
    for position, (label, values) in enumerate(series.items()):
        places = [index + position * height for index in range(len(names))]
        drawn = axes.barh(places, values, height, label=label, color=_COLOURS[position])
        axes.bar_label(drawn, labels=[_label(value) for value in values], padding=3, fontsize=8)
    axes.set_yticks([index + 0.4 - height / 2 for index in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.set_title(title, loc="left")
    axes.margins(x=0.12)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def stacked(
    title: str, axis: str, names: Sequence[str], series: Mapping[str, Sequence[float]]
) -> str:
    """Horizontal bars made of parts."""
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.34 * len(names)))
    left = [0.0] * len(names)
    for position, (label, values) in enumerate(series.items()):
        drawn = axes.barh(names, values, 0.7, left=left, label=label, color=_COLOURS[position])
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.bar_label(drawn, labels=[_label(value) for value in left], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    axes.set_title(title, loc="left")
    axes.margins(x=0.1)
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def lines(
    title: str,
    axes_titles: tuple[str, str],
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    ticks: Sequence[tuple[float, str]] | None = None,
    logarithmic: bool = True,
    dots: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
) -> str:
    """A line for each series, on a logarithmic scale unless there is a zero on it.

    A series may also have dots, in the colour of its line.
    """
    assert len(series) <= len(_COLOURS), "one would look like another"
    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    for (label, (xs, ys)), colour in zip(series.items(), _COLOURS, strict=False):
        if dots is None:
            axes.plot(xs, ys, marker=".", label=label, color=colour)
        else:
            axes.plot(xs, ys, label=label, color=colour)
            axes.plot(*dots[label], linestyle="none", marker="o", markersize=4, color=colour)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
    if ticks:
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.minorticks_off()
    axes.set_xlabel(axes_titles[0])
    axes.set_ylabel(axes_titles[1])
    axes.set_title(title, loc="left")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def _label(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _svg(figure: Figure) -> str:
    output = io.StringIO()
    # White, for those who read in the dark.
    figure.savefig(
        output, format="svg", bbox_inches="tight", facecolor="white", metadata={"Date": None}
    )
    pyplot.close(figure)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"
