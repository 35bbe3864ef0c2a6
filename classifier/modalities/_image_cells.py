"""The column that holds images, and what its cells are: arrays, or files that are decoded when they are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError
from classifier.formats.pictures import Picture

Array = NDArray[Any]
Cell = Array | Picture

CELLS = (np.ndarray, Picture)
MOST_CHANNELS = 16
# Weights of red, green and blue in a grey of the same brightness (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114])


def channels_first(shape: tuple[int, ...]) -> bool:
    """Whether an image (a, b, c) is one whose channels come first: no image is so low and has so many channels."""
    return len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] > 4


def image_cells(frame: pd.DataFrame) -> list[Cell]:
    """The images of the one column that holds them.

    Raises:
        DataError: If there is no such column or there are two, or a cell is no image.
    """
    found = [name for name in frame.columns if frame[name].map(lambda cell: isinstance(cell, CELLS)).any()]
    if len(found) != 1:
        said = "two columns of images" if found else "no column of images"
        raise DataError(f"there {'are' if found else 'is'} {said} among {', '.join(map(str, frame.columns))}", remedy="one holds arrays")
    images: list[Cell] = []
    for row, cell in frame[found[0]].items():
        if not isinstance(cell, CELLS) or len(cell.shape) not in (2, 3) or 0 in cell.shape or cell.dtype.kind not in "buif":
            what = f"an array {cell.shape} of {cell.dtype}" if isinstance(cell, CELLS) else repr(cell)[:40]
            raise DataError(f"the image in row {row} must be numbers (height, width) or (height, width, channels), got {what}")
        if channels_first(cell.shape):
            raise DataError(f"the image in row {row} has its channels first, {cell.shape}", remedy="give np.moveaxis(image, 0, -1)")
        if shape_of(cell)[2] > MOST_CHANNELS:
            raise DataError(
                f"the image in row {row} has {cell.shape[2]} channels, at most {MOST_CHANNELS} are read", remedy="put the channels last"
            )
        if isinstance(cell, np.ndarray) and cell.dtype.kind == "f" and not np.isfinite(cell).all():
            raise DataError(f"the image in row {row} has values that are not finite", remedy="correct them")
        images.append(cell)
    return images


def shape_of(image: Cell) -> tuple[int, int, int]:
    """Height, width and channels."""
    height, width, channels = (*image.shape, 1)[:3]
    return height, width, channels


def pixels_of(image: Cell) -> Array:
    """The pixels of an image (height, width, channels)."""
    pixels = image.pixels() if isinstance(image, Picture) else image
    return pixels.reshape(shape_of(image))


def levels_of(images: list[Cell]) -> dict[str, Any]:
    """Kind and bounds that the values of images show."""
    whole = all(image.dtype.kind in "bui" for image in images)
    types = {image.dtype for image in images}
    if types in ({np.dtype(np.uint8)}, {np.dtype(np.uint16)}):
        return {"kind": "integer", "low": 0.0, "high": float(np.iinfo(types.pop()).max)}
    if len(types) > 1:
        raise DataError(f"the images have different types, {' and '.join(sorted(map(str, types)))}", remedy="give all the same levels")
    arrays = list(map(pixels_of, images))
    low, high = min(float(image.min()) for image in arrays), max(float(image.max()) for image in arrays)
    if not whole and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    if low == high:
        raise DataError(f"every pixel of every image is {low:g}", remedy="are these the right images?")
    return {"kind": "integer" if whole else "continuous", "low": low, "high": high}


def in_channels(image: Array, channels: int, row: object) -> Array:
    """The image with so many channels: grey is repeated, and colours are weighed to a grey as bright."""
    found = image.shape[2]
    if found == channels:
        return image
    if found == 1 and channels == 3:
        return image.repeat(3, axis=2)
    if found == 3 and channels == 1:
        return (image @ LUMA)[:, :, None]
    raise DataError(f"the image in row {row} has {found} channels, required are {channels}", remedy="give images of one kind")
