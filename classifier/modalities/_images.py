"""Images from folders, archives and tables of paths, each as an array."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError, did_you_mean
from classifier.records import canonical_json, sha256
from classifier.tables import read_table

Array = NDArray[Any]

SUFFIXES = (".png", ".jpg", ".jpeg")
_IMAGES, _LABELS = ("images", "x"), ("labels", "y")


def read_images(path: Path) -> tuple[pd.DataFrame, str]:
    """Read images, one row each; its column of images holds arrays (height, width) or (height, width, channels).

    Args:
        path: A folder with a folder of images for each class, an ``.npz`` file, or a table with a column of paths.

    Returns:
        The rows, and the SHA-256 of all that was read.

    Raises:
        DataError: If there is nothing to read, or a file is damaged.
    """
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".npz" and path.is_file():
        return _read_archive(path)
    if path.suffix == ".npz" or path.suffix in (".csv", ".tsv", ".parquet"):
        return _read_paths(path)
    raise DataError(
        f"{path.name} holds no images that can be read",
        remedy="give a folder with a folder of PNG or JPEG files for each class, an .npz file, or a table with a column of paths",
    )


def _read_folder(folder: Path) -> tuple[pd.DataFrame, str]:
    files = sorted(file for file in folder.glob("*/*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    if not files:
        raise DataError(
            f"{folder} has no folders with PNG or JPEG files in them", remedy="put the images of each class into a folder of its name"
        )
    names = [file.relative_to(folder).as_posix() for file in files]
    contents = [file.read_bytes() for file in files]
    frame = pd.DataFrame(
        {
            "image": _objects([_decode(content, name) for content, name in zip(contents, names, strict=True)]),
            "label": [file.parent.name for file in files],
            "file": names,
        }
    )
    return frame, sha256(canonical_json([[name, sha256(content)] for name, content in zip(names, contents, strict=True)]))


def _read_archive(path: Path) -> tuple[pd.DataFrame, str]:
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(
            f"{path.name} is not an .npz file of plain arrays: {error}", remedy="write it with numpy.savez_compressed"
        ) from error
    key = next((name for name in _IMAGES if name in arrays), None)
    if key is None:
        raise DataError(f"{path.name} has no array 'images' or 'x'", remedy=did_you_mean("images", arrays))
    images = arrays.pop(key)
    if images.ndim not in (3, 4) or len(images) == 0:
        raise DataError(f"the array {key!r} of {path.name} must be (N, height, width) or (N, height, width, channels), got {images.shape}")
    columns = {"label" if name in _LABELS else name: array for name, array in arrays.items() if array.shape == (len(images),)}
    return pd.DataFrame({"image": _objects(list(images)), **columns}), sha256(content)


def _read_paths(path: Path) -> tuple[pd.DataFrame, str]:
    frame, digest = read_table(path)
    column = next((name for name in frame.columns if _are_paths(frame[name])), None)
    if column is None:
        raise DataError(f"{path.name} has no column of paths to PNG or JPEG files", remedy="write them relative to the table")
    contents = []
    for row, name in enumerate(frame[column]):
        if not (path.parent / name).is_file():
            raise DataError(
                f"row {row} of {path.name} names the image {name!r}, which is not there", remedy="paths start where the table lies"
            )
        contents.append((path.parent / name).read_bytes())
    frame[column] = _objects([_decode(content, name) for content, name in zip(contents, frame[column], strict=True)])
    return frame, sha256(canonical_json([digest, *map(sha256, contents)]))


def _are_paths(column: pd.Series[Any]) -> bool:
    return bool(column.map(lambda value: isinstance(value, str) and value.lower().endswith(SUFFIXES)).all())


def _decode(content: bytes, name: str) -> Array:
    """The pixels of a PNG or JPEG file: grey (height, width) or red, green, blue (height, width, 3)."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as file:
                image = ImageOps.exif_transpose(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"the image {name} is damaged, or neither PNG nor JPEG: {error}", remedy="replace it or take it out") from error
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.uint16)
    if image.has_transparency_data:
        # What is under a transparent pixel is arbitrary; a reader sees paper.
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image.convert("RGBA"))
        return np.asarray(ground.convert("L" if image.mode == "LA" else "RGB"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def resize(image: Array, height: int, width: int) -> Array:
    """An image (height, width, channels) in another size, antialiased, as float32; its proportions are not kept."""
    from PIL import Image

    channels = [Image.fromarray(np.ascontiguousarray(channel, dtype=np.float32)) for channel in np.moveaxis(image, -1, 0)]
    return np.stack([np.asarray(channel.resize((width, height), Image.Resampling.BILINEAR)) for channel in channels], axis=-1)


def _objects(images: list[Array]) -> pd.Series[Any]:
    """A column whose cells are arrays."""
    column = np.empty(len(images), dtype=object)
    column[:] = images
    return pd.Series(column, dtype=object)
