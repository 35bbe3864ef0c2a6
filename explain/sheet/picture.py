"""The picture on a sheet: the input with its parts in the colours of the table's numbers, in the reader's words."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from classifier.catalogue import Catalogue
from classifier.modalities.sequence import Series
from explain.explanation import Explanation
from explain.figures._style import fold, font_families, shorten
from explain.sheet.naming import Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Letters of a line beside a bar of colours, and of a variable's name.
_LETTERS, _NAME = 40, 20


def picture_of(explanation: Explanation, names: Names, t: Catalogue, *, label: str) -> str:
    """A picture of what is no table, as a data URL; empty for a table, whose bars are the picture.

    Each part has the colour of its number in the table, whatever the method says of the pixels or steps in it.

    Args:
        explanation: One input, explained.
        names: What things are called.
        t: The sheet's sentences.
        label: What the colours show, with its class.
    """
    if explanation.schema.modality == "tabular":
        return ""
    from matplotlib.text import Text

    even = explanation.modality.spread(explanation.by_feature(), explanation.inputs)
    # What a reader must know stands on the sheet, in the reader's language.
    shown = replace(explanation, attributions=even, notes=())
    ax = shown.plot()
    figure, hidden = ax.figure, _hidden(shown, ax)
    ax.set_title(t("picture.hidden", {"count": hidden}) if hidden else "", loc="left", fontsize="medium")
    said = _words(shown, names, t)
    for text in figure.findobj(Text):
        # Labels are broken into lines.
        written = " ".join(text.get_text().split())
        text.set_text(fold(label, _LETTERS) if written.startswith(shown.label) else said.get(written, text.get_text()))
        text.set_fontfamily(font_families())
    buffer = io.BytesIO()
    # As large as what is written: other words need other room.
    figure.savefig(buffer, format="png", dpi=160, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None})  # type: ignore[union-attr]  # axes of a figure have one
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _words(explanation: Explanation, names: Names, t: Catalogue) -> dict[str, str]:
    """What else is written into the picture; the tokens of a text and the nodes of a graph are the data's own."""
    if explanation.schema.modality == "image":
        return {"image": t("picture.image"), "attributions": t("picture.weights")}
    if explanation.schema.modality == "sequence":
        called = {shorten(name, _NAME): shorten(names.of_part(name), _NAME) for name in explanation.schema.names}
        return {"step": t("picture.step"), **called}
    return {}


def _hidden(explanation: Explanation, ax: Axes) -> int:
    """How many variables of a series are not drawn."""
    if not isinstance(explanation.modality, Series):
        return 0
    case: Any = explanation.modality.decode(explanation.inputs).iloc[0, 0]
    return len(case.columns) - len(ax.get_yticks())
