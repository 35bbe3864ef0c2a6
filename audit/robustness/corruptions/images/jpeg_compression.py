"""Pressed into a small JPEG file (ITU-T T.81; Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.robustness.corruptions.corruption import CORRUPTIONS
from audit.robustness.corruptions.images._pixels import ImageCorruption
from audit.robustness.corruptions.row_draws import RowDraws

# Quality, as libjpeg counts it.
_SMALL = (80, 65, 58, 50, 40)
_LARGE = (25, 18, 15, 10, 7)


@CORRUPTIONS["image"].register
@dataclass(frozen=True)
class JpegCompression(ImageCorruption):
    """Write each image as a JPEG file and read it back: three channels as red, green and blue, others one by one as grey."""

    def damage(self, pixels: Tensor, severity: int, draws: RowDraws) -> Tensor:
        quality = self.published(_SMALL, _LARGE, severity)
        whole = (pixels * 255).round().to(torch.uint8).cpu().numpy()
        written = np.empty_like(whole)
        for index, image in enumerate(whole):
            if len(image) == 3:
                written[index] = _through_file(image.transpose(1, 2, 0), quality).transpose(2, 0, 1)
            else:
                written[index] = np.stack([_through_file(channel, quality) for channel in image])
        return torch.from_numpy(written).to(pixels) / 255


def _through_file(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
