"""Figures of a report, drawn as SVG: the same bytes for the same figure."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from audit.bundle import Audit
from audit.evidence import Figure, Series
from audit.report.catalogue import read_catalogue
from audit.report.wording import Wording, style_of
from classifier.records import write_atomically
from explain.figures._picture import picture
from explain.figures._pictures import draw_pictures
from explain.figures._style import INK, LOWERS, MARKERS, PALETTE, axes_or_new, fold, name_rows, shorten, tidy_axes, width_of
from explain.figures.heatmap import draw_heatmap
from explain.figures.waterfall import draw_waterfall

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Texts stay texts, so that the reader's fonts write them; ids come from the content, not from chance.
_SETTINGS = {"svg.hashsalt": "assay", "svg.fonttype": "none", "font.size": 10.0, "axes.labelcolor": INK, "text.color": INK}
_WIDTH = 7.2
_LINES = ("-", "--", "-.", ":")
# Up to so many points have a whisker each; more have a band.
_FEW = 12
# Of those, markers lie so far apart, as a share of the picture; and names of lines at least, of its height.
_APART, _ROOM = 0.15, 0.07
_GRID = "#EEEEEE"
# Axes that show shares, read as percentages.
_SHARES = {
    "reliability": "xy",
    "accuracy_against_budget": "xy",
    "accuracy_against_eps": "y",
    "accuracy_against_eps_l2": "y",
    "accuracy_against_eps_linf": "y",
    "accuracy_against_radius": "y",
    "accuracy_against_severity": "y",
    "fidelity_against_queries": "y",
    "membership_roc": "xy",
    "roc_far": "xy",
    "roc_given": "xy",
    "roc_near": "xy",
    "sandwich_any": "y",
    "sandwich_valid": "y",
}
# Letters of a line of a label, and of all its lines; what a name has more stands in the table of the picture's numbers.
_LABEL, _LONGEST_LABEL = 34, 100
# How high a row is, in inches, and each further line of its label.
_ROW, _LINE = 0.34, 0.17
# The number of rows that ends the label of a group, in any language.
_COUNT = re.compile(r"\s?[(（]n = [^()（）]*[)）]$")


def draw_svg(check: str, figure: Figure, wording: Wording) -> str:
    """A figure as SVG, on a white ground.

    Args:
        check: The check that it is from.
        figure: What it shows.
        wording: The language of its titles.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():  # type: ignore[arg-type]  # a plain dictionary of settings is what it takes
        # The reader's fonts write the texts; that this machine's lack a character changes nothing.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        draw: dict[str, Callable[[str, Figure, Wording], Axes]] = {
            "lines": _lines,
            "intervals": _intervals,
            "waterfall": _waterfall,
            "heatmap": _heatmap,
            "pictures": _pictures,
        }
        drawing = draw[figure.kind](check, figure, wording).figure
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})  # type: ignore[union-attr]
    return buffer.getvalue()


def write_figures(audit: Audit, folder: Path, *, language: str = "en", drawn: Mapping[tuple[str, str], str] = MappingProxyType({})) -> None:
    """Write every figure of an audit as ``<check>.<figure>.<language>.svg``.

    Args:
        audit: The record.
        folder: Where to write them.
        language: Tag of a catalogue.
        drawn: Those that are drawn already, in this language, by check and name.
    """
    wording = Wording(read_catalogue(language))
    for evidence in audit.evidence:
        for index, figure in enumerate(evidence.figures):
            # A figure may bear the name of an attribute, and that may hold anything, even a path.
            name = figure.name if re.fullmatch(r"\w[\w-]*", figure.name) else f"figure-{index + 1}"
            svg = drawn.get((evidence.check, figure.name)) or draw_svg(evidence.check, figure, wording)
            write_atomically(folder / f"{evidence.check}.{name}.{language}.svg", svg.encode())


@picture
def _lines(check: str, figure: Figure, wording: Wording) -> Axes:
    ax = axes_or_new(None, width=_WIDTH, height=3.9)
    if figure.log:
        ax.set_xscale("log")
        ax.set_yscale("log")
    if figure.diagonal:
        _diagonal(ax, figure)
    named, drawn = len(figure.series) > 1, []
    for index, series in enumerate(figure.series):
        color, style = PALETTE[index % len(PALETTE)], _LINES[index % len(_LINES)]
        few = len(series.x) <= _FEW
        marker = MARKERS[index % len(MARKERS)] if few or named else ""
        drawn += ax.plot(
            series.x, series.y, color=color, linestyle=style, marker=marker, markevery=1 if few else (0.03 * index, _APART),
            markersize=5, linewidth=1.8, zorder=3,
        )  # fmt: skip
        if series.low and few and not named:
            ax.errorbar(series.x, series.y, yerr=_reach(series), fmt="none", ecolor=color, elinewidth=1.1, capsize=3, zorder=2)
        elif series.low:
            ax.fill_between(series.x, series.low, series.high, color=color, alpha=0.16, linewidth=0)
    if named:
        _name_ends(ax, [wording.figure(check, figure, f"series.{series.name}") for series in figure.series], drawn)
    for name, place in figure.marks.items():
        ax.axvline(place, color=INK, linewidth=0.9, linestyle=":", zorder=0)
        text = f"{wording.figure(check, figure, f'marks.{name}')}: {place:g}"
        ax.annotate(text, (place, 1), (4, -2), xycoords=("data", "axes fraction"), textcoords="offset points", va="top", fontsize="small")
    ax.grid(color=_GRID)
    ax.set_xlabel(wording.figure(check, figure, "x"))
    ax.set_ylabel(wording.figure(check, figure, "y"))
    _show_percent(ax, _SHARES.get(figure.name, ""), wording)
    tidy_axes(ax)
    return ax


def _diagonal(ax: Axes, figure: Figure) -> None:
    """The line y = x, over the reach of the data."""
    least = min((x for series in figure.series for x in series.x if x > 0), default=0.01) if figure.log else 0.0
    ax.plot([least, 1], [least, 1], color="#767676", linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    ax.set_xlim(least, 1)
    ax.set_ylim(least, 1.03)


def _name_ends(ax: Axes, names: list[str], lines: list[Line2D]) -> None:
    """Write each line's name at its end beside a piece of the line, since ends may meet; names that lie close are moved apart."""
    ax.autoscale_view()
    ends = [_height(ax, line) for line in lines]
    # Of ends that meet, the first line has its name on top.
    order = sorted(range(len(lines)), key=lambda index: (ends[index], -index))
    heights: list[float] = []
    for index in order:
        heights.append(max(ends[index], heights[-1] + _ROOM if heights else 0.0))
    for place in reversed(range(len(heights))):
        # From the top down, so that no name stands above the picture.
        heights[place] = min(heights[place], heights[place + 1] - _ROOM if place + 1 < len(heights) else 1.0)
    for index, height in zip(order, heights, strict=True):
        line = lines[index]
        ax.plot(
            (1.015, 1.04, 1.065), (height,) * 3, transform=ax.transAxes, clip_on=False, color=line.get_color(), linewidth=1.8,
            linestyle=line.get_linestyle(), marker=line.get_marker(), markevery=[1], markersize=5,
        )  # fmt: skip
        ax.annotate(
            names[index], (1.065, height), (5, 0), xycoords="axes fraction", textcoords="offset points", va="center", fontsize="small",
        )  # fmt: skip


def _height(ax: Axes, line: Line2D) -> float:
    """Where a line ends, as a share of the height of the axes."""
    place = ax.transData.transform(line.get_xydata()[-1])  # type: ignore[index]  # an array
    return float(np.clip(ax.transAxes.inverted().transform(place)[1], 0.0, 1.0))


@picture
def _intervals(check: str, figure: Figure, wording: Wording) -> Axes:
    (series,) = figure.series
    style = style_of(f"{check.partition('.')[0]}.{series.name}")
    labels = [_folded(wording.label(label)) for label in figure.labels]
    most = max(label.count("\n") for label in labels)
    ax = axes_or_new(None, width=_WIDTH, height=1.1 + (_ROW + _LINE * most) * len(labels))
    for row, (value, low, high) in enumerate(zip(series.y, series.low, series.high, strict=True)):
        ax.plot([low, high], [row, row], color=LOWERS, linewidth=2.2, solid_capstyle="butt", zorder=2)
        for end in (low, high):
            ax.plot([end, end], [row - 0.15, row + 0.15], color=LOWERS, linewidth=1.4, zorder=2)
        ax.plot([value], [row], "o", color=INK, markersize=5.5, zorder=3)
        text = wording.number(value, style)
        ax.annotate(text, (high, row), (7, 0), textcoords="offset points", va="center", fontsize="small")
    name_rows(ax, labels)
    # In all their lines, which have their room.
    ax.set_yticks(range(len(labels)), labels)
    _show_percent(ax, "x" if style == "percent" else "", wording)
    if min(series.low) >= 0:
        ax.set_xlim(0, 1.16 * max(series.high))
    ax.grid(axis="x", color=_GRID)
    ax.set_xlabel(wording.figure(check, figure, "x"))
    tidy_axes(ax, keep=("bottom",))
    return ax


def _folded(label: str) -> str:
    """A label in lines; a long name is cut, and its number of rows is not."""
    count = _COUNT.search(label)
    told = "" if count is None else count[0]
    return fold(shorten(label.removesuffix(told), _LONGEST_LABEL - width_of(told)) + told, _LABEL)


def _show_percent(ax: Axes, axes: str, wording: Wording) -> None:
    from matplotlib.ticker import PercentFormatter

    for name in axes:
        axis = ax.xaxis if name == "x" else ax.yaxis
        axis.set_major_formatter(PercentFormatter(1.0, symbol=wording.catalogue("number.percent", {"value": ""})))
        axis.set_minor_formatter("")


def _waterfall(check: str, figure: Figure, wording: Wording) -> Axes:
    (series,) = figure.series
    start, end, gap = (wording.figure(check, figure, part) for part in ("start", "end", "gap"))
    return draw_waterfall(
        [wording.label(label) for label in figure.labels],
        series.y,
        base_value=float(figure.words["base"]),
        value=float(figure.words["value"]),
        label=wording.figure(check, figure, "x"),
        limit=len(series.y),
        words=(start, end, gap),
        ax=axes_or_new(None, width=_WIDTH, height=1.7 + 0.36 * len(series.y)),
    )


def _heatmap(check: str, figure: Figure, wording: Wording) -> Axes:
    contributions, pixels = figure.series
    height, width, channels, patch = (int(figure.words[word]) for word in ("height", "width", "channels", "patch"))
    patches = np.reshape(contributions.y, (-1, math.ceil(width / patch)))
    return draw_heatmap(
        np.reshape(pixels.y, (height, width, channels)),
        # Each pixel in the colour of its patch; those at the far edges may be cut.
        patches.repeat(patch, 0).repeat(patch, 1)[:height, :width],
        label=wording.figure(check, figure, "x"),
        words=(wording.figure(check, figure, "start"), wording.figure(check, figure, "end")),
    )


def _pictures(check: str, figure: Figure, wording: Wording) -> Axes:
    height, width, channels, columns = (int(figure.words[word]) for word in ("height", "width", "channels", "columns"))
    shown = [np.reshape(series.y, (height, width, channels)) for series in figure.series]
    return draw_pictures(shown, [wording.label(label) for label in figure.labels], columns=columns)


def _reach(series: Series) -> list[list[float]]:
    below = [y - low for y, low in zip(series.y, series.low, strict=True)]
    above = [high - y for y, high in zip(series.y, series.high, strict=True)]
    return [below, above]
