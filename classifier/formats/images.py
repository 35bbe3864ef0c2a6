"""Images from folders, archives and tables of paths: each an array, or a file that is decoded when it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from classifier.errors import DataError
from classifier.formats.arrays import LABEL, columns_of, read_arrays
from classifier.formats.pictures import SUFFIXES, Picture
from classifier.formats.tables import read_table
from classifier.modalities._image_cells import channels_first
from classifier.opening import find_file, plain_name, read_file, require_alike
from classifier.records import canonical_json, sha256

Array = NDArray[Any]

_KINDS = "PNG or JPEG"


def read_images(path: Path) -> tuple[pd.DataFrame, str]:
    """Read images, one row each; its column of images holds arrays (height, width) or (height, width, channels), or `Picture` objects.

    Args:
        path: A folder with a folder of images for each class, an ``.npz`` file, or a table with a column of paths.
            Files may be sealed: all of them, or none.

    Returns:
        The rows, and the SHA-256 of all that was read.

    Raises:
        DataError: If there is nothing to read, or a file is damaged.
    """
    if path.is_dir():
        return _read_folder(path)
    kind = plain_name(path).suffix
    if kind == ".npz" and path.is_file():
        return _read_archive(path)
    if kind == ".npz" or kind in (".csv", ".tsv", ".parquet"):
        return _read_paths(path)
    raise DataError(
        f"{path.name} holds no images that can be read",
        remedy=f"give a folder with a folder of {_KINDS} files for each class, an .npz file, or a table with a column of paths",
    )


def _read_folder(folder: Path) -> tuple[pd.DataFrame, str]:
    files = [file for file in _images_in(folder, "*/*") if _visible(file.parent)]
    if not files:
        raise DataError(
            f"{folder} has no folders with {_KINDS} files in them", remedy="put the images of each class into a folder of its name"
        )
    if loose := _images_in(folder, "*"):
        raise DataError(
            f"{folder} has images beside the folders of its classes, such as {loose[0].name}",
            remedy="put each into the folder of its class",
        )
    if deep := _images_in(folder, "*/*/*"):
        raise DataError(
            f"{deep[0].relative_to(folder).as_posix()} lies in a folder within the folder of a class",
            remedy="put the images of a class into its folder itself",
        )
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and _visible(entry) and not any(file.parent == entry for file in files):
            inside = sorted(file.name for file in entry.iterdir())
            raise DataError(
                f"the folder {entry.name} of {folder} has no {_KINDS} file" + (f", but {inside[0]}" if inside else ""),
                remedy=f"a folder is a class: save its images as {_KINDS}, or take it out",
            )
    require_alike(files, folder)
    names = [plain_name(file).relative_to(folder).as_posix() for file in files]
    pictures = [Picture.open(file, name) for file, name in zip(files, names, strict=True)]
    frame = pd.DataFrame({"image": _objects(pictures), LABEL: [file.parent.name for file in files], "file": names})
    return frame, sha256(canonical_json([[picture.name, picture.digest] for picture in pictures]))


def _images_in(folder: Path, pattern: str) -> list[Path]:
    found = (file for file in folder.glob(pattern) if plain_name(file).suffix.lower() in SUFFIXES)
    return sorted((file for file in found if _visible(file) and file.is_file()), key=plain_name)


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")


def _read_archive(path: Path) -> tuple[pd.DataFrame, str]:
    content, digest = read_file(path)
    key, images, others = read_arrays(content, path.name, ("images", "x"))
    if images.ndim not in (3, 4) or len(images) == 0:
        raise DataError(f"the array {key!r} of {path.name} must be (N, height, width) or (N, height, width, channels), got {images.shape}")
    if channels_first(images.shape[1:]):
        raise DataError(
            f"the array {key!r} of {path.name} has its channels first, {images.shape}, required is (N, height, width, channels)",
            remedy=f"save np.moveaxis({key}, 1, -1)",
        )
    return pd.DataFrame({"image": _objects(list(images)), **columns_of(others, len(images), path.name)}), digest


def _read_paths(path: Path) -> tuple[pd.DataFrame, str]:
    frame, digest = read_table(path)
    column = next((name for name in frame.columns if _are_paths(frame[name])), None)
    if column is None:
        raise DataError(f"{path.name} has no column of paths to {_KINDS} files", remedy="write them relative to the table")
    pictures = [_picture(path, cell, row, str(column)) for row, cell in enumerate(frame[column])]
    frame[column] = _objects(pictures)
    return frame, sha256(canonical_json([digest, *(picture.digest for picture in pictures)]))


def _are_paths(column: pd.Series[Any]) -> bool:
    """Whether most of the values are paths of images; the others are then mistakes."""
    return bool(column.map(lambda value: isinstance(value, str) and value.strip().lower().endswith(SUFFIXES)).mean() > 0.5)


def _picture(table: Path, cell: object, row: int, column: str) -> Picture:
    name = cell.strip() if isinstance(cell, str) else ""
    if not name:
        raise DataError(f"row {row} of {table.name} names no image in column {column!r}", remedy="leave the row out")
    if not name.lower().endswith(SUFFIXES):
        raise DataError(
            f"row {row} of {table.name} names {name!r}, required is a {_KINDS} file", remedy="save it as one, or leave the row out"
        )
    file = find_file(table.parent / name)
    if not file.is_file():
        raise DataError(
            f"row {row} of {table.name} names the image {name!r}, which is not there", remedy="paths start where the table lies"
        )
    require_alike([table, file], table.parent)
    return Picture.open(file, name)


def _objects(images: Sequence[object]) -> pd.Series[Any]:
    """A column whose cells are arrays or files."""
    column = np.empty(len(images), dtype=object)
    column[:] = images
    return pd.Series(column, dtype=object)
