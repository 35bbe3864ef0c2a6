"""What all pictures share: colours that the colour-blind and a grey printer tell apart, plain axes, and words that fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap

# Okabe & Ito (2008). Blue and orange differ in lightness too, so they stay apart in grey.
RAISES, LOWERS, NEUTRAL = "#E69F00", "#0072B2", "#999999"
# The last two are ours: as far from the eight, and from each other, as those are, whatever colours an eye confuses.
PALETTE = (LOWERS, RAISES, "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#731300", "#000086")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*", "<", "p")
_DASHES = ("-", "--", ":", "-.")
INK, FAINT = "#222222", "#BBBBBB"
# From dark to light without a change of hue that only some eyes see.
LEVELS = "cividis"
_LONGEST = 44
# What contributions leave unexplained is shown where it is wider than this share of the picture.
VISIBLE = 0.01
# Fonts with Chinese characters, as the common systems bring them: the stem of a file, and a family in it.
_CHINESE = (
    ("NotoSansCJK-Regular", "Noto Sans CJK SC"),
    ("NotoSansCJKsc-Regular", "Noto Sans CJK SC"),
    ("SourceHanSansSC-Regular", "Source Han Sans SC"),
    ("msyh", "Microsoft YaHei"),
    ("PingFang", "PingFang SC"),
    ("Hiragino Sans GB", "Hiragino Sans GB"),
    ("wqy-microhei", "WenQuanYi Micro Hei"),
    ("wqy-zenhei", "WenQuanYi Zen Hei"),
    ("simhei", "SimHei"),
    ("NotoSerifCJK-Regular", "Noto Serif CJK SC"),
)


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


def name_classes(ax: Axes, handles: Sequence[Artist], names: Sequence[str], **place: Any) -> None:
    """A legend of classes or variables. Named one by one, since matplotlib leaves out what begins with an underscore."""
    ax.legend(list(handles), [shorten(name) for name in names], **{"frameon": False, "fontsize": "small", **place})


def write_notes(ax: Axes, notes: Iterable[str]) -> None:
    """Write what a reader must know under a picture without axes."""
    # As wide as the picture: some sixteen letters of this size have room in an inch.
    width = ax.get_position().width * ax.get_figure(root=True).get_figwidth()  # type: ignore[union-attr]  # axes of a figure
    letters = max(20, int(16 * width))
    said = "\n".join(fold(note, letters) for note in notes)
    if said:
        ax.annotate(said, (0, 0), (0, -5), xycoords="axes fraction", textcoords="offset points", va="top", fontsize="small", color=INK)


def dash(index: int) -> str:
    """The style of a class's line, so that with the colours of `PALETTE` each of thirty looks different."""
    return _DASHES[index // 4 % len(_DASHES)]


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Cut a text that is too long for a label."""
    if width_of(text) <= longest:
        return text
    while width_of(text) > longest - 1:
        text = text[: -max(1, (width_of(text) - longest) // 2)]
    return f"{text}…"


def name_value(name: str, value: str) -> str:
    """``"amount = 1,200 DM"``; of a name that is too long the end is left out, and not the value."""
    told = shorten(value, _LONGEST // 2)
    return f"{shorten(name, _LONGEST - 3 - width_of(told))} = {told}"


def fold(text: str, width: int) -> str:
    """Break a text into lines of `width` letters, between words, and within what is longer than a line."""
    lines = [""]
    for word in text.split():
        together = f"{lines[-1]} {word}" if lines[-1] else word
        if width_of(together) <= width:
            lines[-1] = together
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if width_of(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return "\n".join(lines)


def width_of(text: str) -> int:
    """How many letters have as much room as a text; a Chinese character has that of two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


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
    for stem, family in _CHINESE:
        if stem in files:
            font_manager.fontManager.addfont(files[stem])
            inside = [entry.name for entry in font_manager.fontManager.ttflist if entry.fname == files[stem]]
            # A file may hold several families, of which an older matplotlib sees the first alone.
            return ["DejaVu Sans", family if family in inside else inside[0]]
    return ["DejaVu Sans"]
