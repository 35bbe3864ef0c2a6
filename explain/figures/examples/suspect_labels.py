"""Suspect labels: the training rows whose label looks most like a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.modality import modality_of
from explain.figures._style import INK
from explain.figures.examples._gallery import Band, draw_gallery
from explain.figures.examples._table import Column, draw_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from explain.training_data.mislabelling import Suspects

_TABLE, _GALLERY, _TEXTS = 6, 18, 8


def plot_suspects(suspects: Suspects, ax: Axes | None = None) -> Axes:
    """Draw the most suspect rows, each with its label and the class that the classifier holds for more probable."""
    modality = suspects.schema.modality
    frame = suspects.to_frame({"tabular": _TABLE, "text": _TEXTS}.get(modality, _GALLERY))
    rows = suspects.order[: len(frame)]
    way = suspects.method.replace("_", "-")
    title = f"The {len(rows)} most suspect of {len(suspects):,} labels by {way}, and what the classifier would rather say"
    told = list(zip(frame["id"], frame["label"], frame["rather"], strict=True))
    if modality != "tabular":
        captions = [f"{label}? rather {rather}\nrow {number}" for number, label, rather in told]
        heading = f"Of these, about {suspects.expected_precision[len(rows) - 1]:.0%} are expected to be wrong"
        return draw_gallery(suspects.schema, [Band(heading, suspects.inputs[rows], captions)], title=title, ax=ax)
    names = suspects.schema.names
    columns = [
        Column((f"row {number}", f"label: {label}", f"rather {rather}"), [words[name] for name in names], INK)
        for (number, label, rather), words in zip(told, modality_of(suspects.schema).words(suspects.inputs[rows]), strict=True)
    ]
    return draw_columns(names, columns, title=title, ax=ax)
