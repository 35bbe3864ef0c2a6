"""Which class each output of a brought model stands for, where nobody says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from classifier.errors import ConfigurationError


def sorted_labels(classes: Sequence[str]) -> tuple[str, ...]:
    """Labels in the order that label encoders give them: numbers by their size, else as text."""
    if all(re.fullmatch(r"[+-]?\d+(\.\d+)?", name) for name in classes):
        return tuple(sorted(classes, key=float))
    return tuple(sorted(classes))


def output_labels(stated: Sequence[str], classes: Sequence[str], *, what: str, numbered: bool = False) -> tuple[str, ...]:
    """The class of each output, in the model's order.

    Args:
        stated: What somebody says.
        classes: The data's classes; of two, the second is the event.
        what: What to call the model in an error.
        numbered: Whether the model numbers its outputs from 0, so that labels 0, 1, ... can mean nothing else.

    Raises:
        ConfigurationError: If nobody says, and the data's own order is not that of their sorted labels.
    """
    if stated:
        return tuple(stated)
    own = sorted_labels(classes)
    if own == tuple(classes) or (numbered and own == tuple(map(str, range(len(own))))):
        return own
    listed = ", ".join(f'"{name}"' for name in own)
    raise ConfigurationError(
        f"{what} does not name its classes, and the data have {', '.join(classes)}, which is not the order of sorted labels",
        remedy=f"state the class of each output, in the file's order: [model] classes = [{listed}], or the other way round",
    )


def label_text(value: Any) -> str:
    """A label of an estimator as the data have it: whole numbers without a decimal point."""
    number = value.item() if hasattr(value, "item") else value
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)
