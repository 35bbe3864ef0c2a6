"""One input in every corruption, for a reader to see what they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from audit.evidence import Figure, Series, Table
from audit.robustness.corruptions.corruption import corruption_of, corruption_seed
from audit.robustness.corruptions.engine import corrupt
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.corruptions.texts._pieces import TextCorruption
from classifier.formats.texts import TEXT
from classifier.modalities.image import Image
from classifier.modality import modality_of
from classifier.schema import Schema

# Pictures beside each other, and the side above which they are drawn coarser.
_COLUMNS, _SIDE = 4, 96
_MOST_FEATURES = 6
_ORIGINAL = "none"


def corruption_example(
    x: Tensor, schema: Schema, kinds: Sequence[str], *, severity: int, seed: int, row: Tensor, reference: Tensor
) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
    """One input in every corruption: pictures of an image, what was written of a text, what changed in a table.

    Args:
        x: The input ``(1, *S)``.
        schema: What it means.
        kinds: The corruptions.
        severity: Their severity.
        seed: Where random numbers come from.
        row: What the input is called ``(1,)``.
        reference: Inputs that tell what is typical.

    Returns:
        Tables and figures; none of series and graphs.
    """
    if schema.modality not in ("image", "text", "tabular"):
        return (), ()
    names = [name.replace("_", " ") for name in (_ORIGINAL, *kinds)]
    if schema.modality == "text":
        return (_table(names, [*modality_of(schema).decode(x)[TEXT], *_written(x, schema, kinds, severity, seed, row, reference)]),), ()
    damaged = [corrupt(x, schema, kind=kind, severity=severity, seed=seed, rows=row, reference=reference) for kind in kinds]
    every = torch.cat([x, *damaged])
    if schema.modality == "image":
        return (), (_pictures(every, schema, names, severity),)
    return (_table(names, _changes(every, schema)),), ()


def _table(names: Sequence[str], said: Sequence[str | None]) -> Table:
    return Table("example", ("corruption", "input"), tuple(zip(names, said, strict=True)), single=True)


def _written(x: Tensor, schema: Schema, kinds: Sequence[str], severity: int, seed: int, row: Tensor, reference: Tensor) -> list[str]:
    """The corrupted text as it was written, whether its tokens are known or not."""
    texts: list[str] = []
    for kind in kinds:
        corruption = corruption_of(schema, kind, reference)
        assert isinstance(corruption, TextCorruption)  # as all corruptions of texts are
        texts += corruption.written(x, severity, RowDraws(row, corruption_seed(seed, kind)))
    return texts


def _pictures(x: Tensor, schema: Schema, names: Sequence[str], severity: int) -> Figure:
    pictures = Image(schema).picture(x)
    every = -(-max(schema.size) // _SIDE)
    pictures = pictures[:, ::every, ::every]
    height, width, channels = pictures.shape[1:]
    return Figure(
        "pictures",
        "pictures",
        series=tuple(
            Series(name, x=(), y=tuple(np.round(picture.ravel().astype(float), 3).tolist()))
            for name, picture in zip(names, pictures, strict=True)
        ),
        labels=tuple(names),
        words={"height": height, "width": width, "channels": channels, "columns": _COLUMNS, "severity": severity},
        single=True,
    )


def _changes(x: Tensor, schema: Schema) -> list[str | None]:
    """What differs from the first row, feature by feature."""
    first, *others = modality_of(schema).words(x)
    said: list[str | None] = [None]
    for other in others:
        changed = [f"{name} {first[name]} → {other[name]}" for name in first if first[name] != other[name]]
        more = f"; + {len(changed) - _MOST_FEATURES}" if len(changed) > _MOST_FEATURES else ""
        said.append("; ".join(changed[:_MOST_FEATURES]) + more if changed else None)
    return said
