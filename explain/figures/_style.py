"""What all pictures share: colours that the colour-blind and a grey printer tell apart, and plain axes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap

# Okabe & Ito (2008). Blue and orange differ in lightness too, so they stay apart in grey.
RAISES, LOWERS, NEUTRAL = "#E69F00", "#0072B2", "#999999"
PALETTE = (LOWERS, RAISES, "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
INK, FAINT = "#222222", "#BBBBBB"
# From dark to light without a change of hue that only some eyes see.
LEVELS = "cividis"
_LONGEST = 44
# Files of fonts with Chinese characters, as the common systems bring them.
_CHINESE = ("NotoSansCJK-Regular", "NotoSansCJKsc-Regular", "SourceHanSansSC-Regular", "msyh", "PingFang", "wqy-microhei", "simhei")


def axes_or_new(ax: Axes | None, *, width: float = 7.0, height: float = 4.0) -> Axes:
    """The axes given, or those of a new figure of `width` x `height` inches that no window shows."""
    if ax is not None:
        return ax
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def tidy_axes(ax: Axes, *, keep: Collection[str] = ("left", "bottom")) -> None:
    """Leave only the sides in `keep`, and put the data above the grid."""
    for name, spine in ax.spines.items():
        spine.set_visible(name in keep)
        spine.set_color(FAINT)
    ax.tick_params(axis="x", colors=INK, color=FAINT, length=3)
    ax.tick_params(axis="y", colors=INK, color=FAINT, length=3 if "left" in keep else 0)
    ax.set_axisbelow(True)


def name_rows(ax: Axes, names: Iterable[str]) -> None:
    """Write `names` down the left side, the first on top."""
    labels = [shorten(name) for name in names]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Cut a text that is too long for a label."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def signed(number: float) -> str:
    """A number with its sign, to three digits: ``"+0.42"``, ``"−1.3"``, ``"0"``."""
    return f"{number:+.3g}".replace("-", "−") if number else "0"


def diverging_colors() -> LinearSegmentedColormap:
    """Colours from what lowers the output through white to what raises it, equally far on both sides."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("effect", [LOWERS, "#FFFFFF", RAISES])


@cache
def font_families() -> list[str]:
    """Fonts for a text in any script: matplotlib's own, and one with Chinese characters where this machine has one."""
    from matplotlib import font_manager

    # Asked of the system: matplotlib remembers the fonts that there were when it first ran.
    files = {Path(path).stem: path for path in font_manager.findSystemFonts()}
    for name in _CHINESE:
        if name in files:
            font_manager.fontManager.addfont(files[name])
            return ["DejaVu Sans", font_manager.FontProperties(fname=files[name]).get_name()]
    return ["DejaVu Sans"]
