"""Picture: what every function that draws goes through, so that names from data come out as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from explain.figures._style import fold, font_families, shorten, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

P = ParamSpec("P")
Drawn = TypeVar("Drawn", bound="Axes | Figure")

# Scripts of East Asia begin here; what comes before is in matplotlib's own font, or in none of ours.
_EAST = "\u2e80"
# Letters of a title as a whole, and of a line at least.
_TITLE, _NARROWEST = 240, 20


def picture(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """Decorate a function that draws into `ax` or into a new figure.

    What it wrote is never read as mathematics and is in a font that has its characters where this machine has one; titles
    and labels are broken into lines that the figure has room for. What stood there before stays as it is, and so do
    the numbers that matplotlib writes along an axis: its powers of ten are mathematics.
    """
    parameters = signature(draw)

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Drawn:
        from matplotlib.text import Text

        ax = parameters.bind(*args, **kwargs).arguments.get("ax")
        before = {} if ax is None else {text: text.get_text() for text in ax.figure.findobj(Text)}
        result = draw(*args, **kwargs)
        figure: Any = result.figure
        rooms = _rooms(figure)
        for text in set(figure.findobj(Text)) - _numbers(figure):
            if text.get_text() and before.get(text) != text.get_text():
                _write_plainly(text)
                if text in rooms:
                    _break(text, rooms[text])
        return result

    return drawn


def _rooms(figure: Any) -> dict[Text, float]:
    """How long a line of each title and each label along an axis may be, in inches.

    Told from where matplotlib puts axes before it has drawn anything, since names are to be in place by then.
    """
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    width, height = figure.get_figure(root=True).get_size_inches()
    rooms: dict[Text, float] = dict.fromkeys(figure.texts, 0.95 * width)
    for ax in figure.findobj(Axes):
        box, beside = ax.get_position(), _names_beside(ax)
        titles = {child for child in ax.get_children() if isinstance(child, Text)} - set(ax.texts)
        rooms |= dict.fromkeys(titles, 1.1 * box.width * width - beside)
        # A narrow strip is a bar of colours, whose label has the figure's width or height.
        rooms[ax.xaxis.label] = max(box.width, 0.6) * width - beside
        rooms[ax.yaxis.label] = 0.85 * height * (1.0 if box.width < 0.1 else min(1.0, 1.3 * box.height))
    return rooms


def _names_beside(ax: Any) -> float:
    """How many inches the names of rows need beyond what is always left for numbers."""
    labels = [label for label in ax.get_yticklabels() if ax.axison and label.get_text()]
    return max((width_of(label.get_text()) * _letter(label) - 0.7 for label in labels), default=0.0)


def _letter(text: Text) -> float:
    """How wide a letter is, in inches."""
    return 0.54 * float(text.get_fontsize()) / 72


def _numbers(figure: Any) -> set[Text]:
    """What matplotlib itself writes along axes."""
    from matplotlib.axis import Axis
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    found: set[Text] = set()
    for axis in figure.findobj(Axis):
        # With one of these two, somebody said what stands at each place.
        ours = isinstance(axis.get_major_formatter(), (FixedFormatter, FuncFormatter))
        for part in (*(() if ours else axis.get_major_ticks()), *axis.get_minor_ticks(), axis.get_offset_text()):
            found.update(part.findobj(Text))
    return found


def _write_plainly(text: Text) -> None:
    text.set_parse_math(False)
    text.set_usetex(False)
    if max(text.get_text()) >= _EAST:
        # After the families that the reader chose, which write what they can.
        text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *font_families()[1:]])))


def _break(text: Text, room: float) -> None:
    letters = max(_NARROWEST, int(room / _letter(text)))
    lines = shorten(text.get_text(), _TITLE).split("\n")
    text.set_text("\n".join(fold(line, letters) if width_of(line) > letters else line for line in lines))
