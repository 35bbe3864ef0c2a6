"""One image in a file, whose pixels are decoded when they are asked for, so that many need not be in memory at once."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.errors import DataError
from classifier.opening import read_file

Array = NDArray[Any]

SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, repr=False)
class Picture:
    """A PNG or JPEG file, plain or sealed, that was decoded once, and found whole.

    Args:
        path: Where it lies.
        name: What to call it in an error.
        digest: The SHA-256 of its bytes as they lie there.
        shape: Shape of its pixels: (height, width), or (height, width, 3).
        dtype: Their type, 8 or 16 bits.
    """

    path: Path
    name: str
    digest: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __repr__(self) -> str:
        return f"Picture({self.name!r})"

    @staticmethod
    def open(path: Path, name: str) -> Picture:
        """Read a file.

        Raises:
            DataError: If it cannot be decoded.
        """
        content, digest = read_file(path)
        pixels = _decode(content, name)
        return Picture(path, name, digest, pixels.shape, pixels.dtype)

    def pixels(self) -> Array:
        """Decode the file.

        Raises:
            DataError: If it is no longer the file that was opened.
        """
        content, digest = read_file(self.path) if self.path.is_file() else (b"", "")
        if digest != self.digest:
            raise DataError(f"the image {self.name} changed while the data were read", remedy="read them again")
        return _decode(content, self.name)


def _decode(content: bytes, name: str) -> Array:
    """The pixels of a PNG or JPEG file: grey (height, width) or red, green, blue (height, width, 3)."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as file:
                image = ImageOps.exif_transpose(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # What Pillow says of a file that it does not know is the address of the bytes.
        said = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise DataError(f"the image {name} is damaged, or neither PNG nor JPEG{said}", remedy="replace it or take it out") from error
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
