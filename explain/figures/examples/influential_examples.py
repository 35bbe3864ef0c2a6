"""Influential examples: an input, and the training rows that speak most for and against what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError
from classifier.modality import modality_of
from explain.figures._style import INK, LOWERS, signed
from explain.figures.examples._gallery import Band, draw_gallery
from explain.figures.examples._table import Column, draw_columns
from explain.training_data.influence import AGAINST, FOR, Influence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TABLE, _GALLERY, _TEXTS = 3, 6, 4
# Blue and orange as dark as letters must be.
_COLORS = {FOR: "#9A6A00", AGAINST: LOWERS}


def plot_examples(influence: Influence, ax: Axes | None = None) -> Axes:
    """Draw one input beside the training rows that speak most for its target, and those that speak most against it.

    Of a table, cells that differ from the input's are marked. Images, series and graphs are drawn, and texts written.

    Raises:
        ConfigurationError: If there is more than one input.
    """
    if len(influence) != 1:
        raise ConfigurationError(f"this picture shows one input, got {len(influence)}", remedy="choose one, as in influence[0].plot()")
    return _columns(influence, ax) if influence.schema.modality == "tabular" else _bands(influence, ax)


def _columns(influence: Influence, ax: Axes | None) -> Axes:
    modality, names = modality_of(influence.schema), influence.schema.names
    (own,) = modality.words(influence.inputs)
    columns, gaps = [Column(("The input", *_decision(influence)), [own[name] for name in names], INK)], []
    for side in (FOR, AGAINST):
        rows = influence.places(0, side, _TABLE)
        gaps.append(len(columns))
        for place, words in zip(rows.tolist(), modality.words(influence.training[rows]), strict=True):
            head = (f"row {int(influence.ids[place])}", influence.classes[int(influence.labels[place])], _score(influence, place, side))
            cells = [words[name] for name in names]
            columns.append(Column(head, cells, _COLORS[side], [words[name] != own[name] for name in names]))
    return draw_columns(names, columns, title=_title(influence), gaps=gaps, ax=ax)


def _bands(influence: Influence, ax: Axes | None) -> Axes:
    most = _TEXTS if influence.schema.modality == "text" else _GALLERY
    target = influence.classes[int(influence.target[0])]
    bands = [Band("The input", influence.inputs, ["\n".join(_decision(influence))])]
    for side in (FOR, AGAINST):
        rows = influence.places(0, side, most)
        places = rows.tolist()
        names = [f"{influence.classes[int(influence.labels[place])]}, row {int(influence.ids[place])}" for place in places]
        captions = [f"{name}\n{signed(float(influence.scores[0, place]))}" for name, place in zip(names, places, strict=True)]
        bands.append(Band(f"Training rows that speak {side} {target}", influence.training[rows], captions, _COLORS[side]))
    return draw_gallery(influence.schema, bands, title=_title(influence), ax=ax)


def _decision(influence: Influence) -> tuple[str, str]:
    best = int(influence.predictions[0].argmax())
    return "decided:", f"{influence.classes[best]}, {float(influence.predictions[0, best]):.0%}"


def _score(influence: Influence, place: int, side: str) -> str:
    return f"{side}: {signed(float(influence.scores[0, place]))}"


def _title(influence: Influence) -> str:
    count = len(influence.ids)
    target = influence.classes[int(influence.target[0])]
    return (
        f"Which of {count:,} training rows speak for or against {target}; an estimate by {influence.method_name}\n"
        f"Numbers: {influence.meaning}"
    )
